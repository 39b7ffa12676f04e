import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { RouseError } from "./problem.ts";

/**
 * Makes a file whole or not at all: `make` creates it under a temporary name in the same folder, and it then takes the final
 * name. `make` has to open it with "wx": the folder may be one that others write to, and a link of theirs is not followed.
 * @throws {RouseError} "output-not-writable", "disk-full" or "disk-failed"; what stood under the final name is still there then
 */
export async function writeWhole(path: string, make: (temporary: string) => void | Promise<void>): Promise<void> {
  // Not the final name with an ending: that may be as long as a file system allows.
  const temporary = join(dirname(path), `${partialPrefix}${process.pid}-${randomBytes(8).toString("hex")}`);
  try {
    mkdirSync(dirname(path), { recursive: true });
    await makeThenRename(temporary, path, make);
  } catch (error) {
    throw asProblem(error, path, temporary);
  }
}

/** Gives `work` an empty folder of its own, which is gone afterwards, also when the process is interrupted. */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "rouse-"));
  unfinished.add(folder);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    unfinished.delete(folder);
  }
}

/** Removes what this process has begun and not finished: to be called when it exits. */
export function removeUnfinished(): void {
  for (const temporary of unfinished) {
    // A maker may put files of its own beside the temporary one, under its name and an ending.
    for (const name of listFolder(dirname(temporary))) {
      if (name.startsWith(basename(temporary))) removeIfPossible(join(dirname(temporary), name));
    }
  }
}

/** Removes what killed builds left in a folder: the temporary files of processes that are no more. */
export function removeAbandoned(folder: string): void {
  for (const name of listFolder(folder)) {
    const pid = name.startsWith(partialPrefix) && Number.parseInt(name.slice(partialPrefix.length), 10);
    if (pid && !isAlive(pid)) removeIfPossible(join(folder, name));
  }
}

/** Size and SHA-256 of a file. */
export async function measure(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { bytes: statSync(path).size, sha256: hash.digest("hex") };
}

// --- internal ---

async function makeThenRename(
  temporary: string,
  path: string,
  make: (path: string) => void | Promise<void>,
): Promise<void> {
  unfinished.add(temporary);
  try {
    await make(temporary);
    renameSync(temporary, path);
  } finally {
    removeIfPossible(temporary);
    unfinished.delete(temporary);
  }
}

/** Where the file system refuses, the error that led here says more, or the file is in nobody's way. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // See above.
  }
}

const partialPrefix = ".rouse-partial-";
const unfinished = new Set<string>();

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // It does not exist yet.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const fullDisk = "free some space, or name another folder with --out";
const elsewhere = "make the folder writable, or name another one with --out";

/** What the surroundings refuse, by errno. */
const refusals: Readonly<Record<string, readonly [code: string, why: string, mend: string]>> = {
  ENOSPC: ["disk-full", "the disk is full", fullDisk],
  EDQUOT: ["disk-full", "the disk quota is used up", fullDisk],
  EFBIG: [
    "disk-full",
    "the file grew larger than is allowed here (ulimit -f)",
    "raise the limit, or name another folder with --out",
  ],
  EIO: ["disk-failed", "the disk failed", "check it, or name another folder with --out"],
  EACCES: ["output-not-writable", "the folder may not be written", elsewhere],
  EPERM: ["output-not-writable", "the folder may not be written", elsewhere],
  EROFS: ["output-not-writable", "the disk is read-only", elsewhere],
  ENOTDIR: ["output-not-writable", "a part of its path is a file and no folder", "name another folder with --out"],
  EEXIST: ["output-not-writable", "a part of its path is a file and no folder", "name another folder with --out"],
  ENOENT: ["output-not-writable", "a part of its path is a link that leads nowhere", "name another folder with --out"],
  ELOOP: ["output-not-writable", "a part of its path is a link to itself", "name another folder with --out"],
  ENAMETOOLONG: ["name-too-long", "its path is too long", "shorten the service's version or the path of the folder"],
  EISDIR: ["output-not-writable", "there is a folder of that name", "remove it, or name another folder with --out"],
};

/** Any other error is returned as it came, also one about a file that was to be read. */
function asProblem(error: unknown, path: string, temporary: string): unknown {
  const { code: errno = "", path: at = temporary } = error as NodeJS.ErrnoException;
  const [code, why, mend] = refusals[errno] ?? [];
  const isOutput = at.startsWith(temporary) || dirname(path).startsWith(at);
  if (!isOutput || code === undefined || why === undefined || mend === undefined) return error;
  return new RouseError({ code, what: `${path} was not written: ${why}`, mend }, { cause: error });
}
