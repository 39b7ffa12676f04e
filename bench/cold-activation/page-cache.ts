import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Lets the kernel forget what it holds of a file, so that the next start reads it anew, as after an installation and a boot.
 * A file that was just written lies in the cache in larger pieces than one that was read, and then up to 40 MB more of it
 * count as resident memory of whoever runs it.
 */
export async function forgetCached(path: string): Promise<void> {
  // posix_fadvise(2) with POSIX_FADV_DONTNEED, for which Node has no call. It forgets only what is on the disk already.
  await run("sync", [path]);
  await run("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}

// --- internal ---

const run = promisify(execFile);
