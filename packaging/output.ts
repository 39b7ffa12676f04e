import { open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { RouseError } from "../src/problem.ts";

/**
 * Writes a new file and leaves none behind when that fails.
 * @throws {RouseError} when the disk is full, the folder may not be written, or the file is there already
 */
export async function writeNew(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, "wx").catch((error) => {
    throw explain(error, path);
  });
  try {
    await pipeline(content, file.createWriteStream());
  } catch (error) {
    await rm(path, { force: true });
    throw explain(error, path);
  }
}

// --- internal ---

const mends: Readonly<Record<string, readonly [what: string, mend: string]>> = {
  ENOSPC: ["there is no space left on the disk", "free some space, or write to another disk with --out"],
  EDQUOT: ["the disk quota is used up", "free some space, or write to another disk with --out"],
  EFBIG: [
    "the file grew larger than is allowed here",
    "raise the limit (ulimit -f), or write to another disk with --out",
  ],
  EACCES: ["the folder may not be written", "change its permissions, or write elsewhere with --out"],
  EPERM: ["the folder may not be written", "change its permissions, or write elsewhere with --out"],
  EROFS: ["the disk is read-only", "write elsewhere with --out"],
  ENOENT: ["the folder does not exist", "create it, or write elsewhere with --out"],
  ENOTDIR: ["a part of the path is no folder", "write elsewhere with --out"],
  EEXIST: ["the file is there already", "remove it, or write elsewhere with --out"],
  EIO: ["the disk failed", "check the disk, or write elsewhere with --out"],
};

/** What went wrong, when it is the surroundings' fault, by the folder, for the file's name is temporary; any other error as it came. */
function explain(error: unknown, path: string): unknown {
  if (error instanceof RouseError) return error;
  const [what, mend] = mends[(error as NodeJS.ErrnoException).code ?? ""] ?? [];
  if (what === undefined || mend === undefined) return error;
  const folder = dirname(path);
  const problem = { code: "package-write", what: `the package cannot be written to ${folder}: ${what}`, mend };
  return new RouseError({ ...problem, where: { file: folder } }, { cause: error });
}
