import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The folder of one run, its owner's alone: bundle, credentials, directories, notify socket. */
export interface RunFolder {
  /** Absolute. */
  readonly path: string;
  remove(): void;
}

/** It is gone when the process exits, at the latest. */
export function makeRunFolder(): RunFolder {
  const path = mkdtempSync(join(tmpdir(), "rouse-run-"));
  const folder: RunFolder = {
    path,
    remove() {
      process.off("exit", folder.remove);
      if (!existsSync(path)) return; // Under the sandbox systemd may have been faster.
      unlock(path);
      rmSync(path, { recursive: true, force: true });
    },
  };
  process.once("exit", folder.remove);
  return folder;
}

// --- internal ---

/** A folder that its owner may not write to, such as that of the credentials, cannot be emptied. */
function unlock(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    chmodSync(join(folder, entry.name), 0o700);
    unlock(join(folder, entry.name));
  }
}
