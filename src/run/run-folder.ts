import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { RouseError } from "../problem.ts";

/** The folder of one run, its owner's alone: bundle, credentials, directories, notify socket. */
export interface RunFolder {
  /** Absolute. */
  readonly path: string;
  remove(): void;
}

/** It is gone when the process exits, at the latest. @throws {RouseError} no-temporary-folder */
export function makeRunFolder(): RunFolder {
  const path = make(resolve(tmpdir()));
  const folder: RunFolder = {
    path,
    remove() {
      process.off("exit", folder.remove);
      if (!existsSync(path)) return; // Under the sandbox systemd may have been faster.
      unlock(path);
      // What the program has started may still be writing as it is killed.
      rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
    },
  };
  process.once("exit", folder.remove);
  return folder;
}

// --- internal ---

function make(parent: string): string {
  try {
    return mkdtempSync(join(parent, "rouse-run-"));
  } catch (error) {
    const { errno = 0 } = error as NodeJS.ErrnoException;
    throw new RouseError(
      {
        code: "no-temporary-folder",
        what: `the run's folder cannot be made in ${parent}: ${getSystemErrorMessage(errno)}`,
        mend: "set TMPDIR to a folder that is there and that you may write to, such as /tmp",
      },
      { cause: error },
    );
  }
}

/** A folder that its owner may not write to, such as that of the credentials, cannot be emptied. */
function unlock(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    chmodSync(join(folder, entry.name), 0o700);
    unlock(join(folder, entry.name));
  }
}
