import { randomBytes } from "node:crypto";
import { chownSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import type { Failed } from "../../../activation/ffi-share.ts";
import type { Problem } from "../../../problem.ts";
import { groupId } from "./group.ts";
import { makeListener, tryUnixPath } from "./listener.ts";
import { type Opened, systemWords, type Wish } from "./opened.ts";
import { cannotGiveGroup, inUse, noSocket, pathProblem, tooLong } from "./unix-problems.ts";

/**
 * Opens a unix socket. One of the definition goes into the run's folder: a service that is really installed may have the
 * other. What a dead process has left behind is replaced; nothing else is ever removed.
 */
export function openUnix(wish: Wish, path: string): Opened | Problem {
  const place = wish.isExplicit ? asWritten(wish, path) : inFolder(wish);
  if (!fits(wish, place)) return tooLong(wish, place, limit(wish));
  let result = bindAt(wish, place);
  if ("errno" in result && result.errno === EADDRINUSE) {
    const obstacle = removeStale(wish, place);
    if (obstacle) return obstacle;
    result = bindAt(wish, place);
  }
  return "errno" in result ? pathProblem(wish, place, result.errno) : result;
}

// --- internal ---

const { EADDRINUSE, ECONNREFUSED, ENOENT } = constants.errno;

/** sun_path without its terminating NUL: 108 bytes on Linux, 104 on macOS (sys/un.h). */
function limit({ platform }: Wish): number {
  return platform === "darwin" ? 103 : 107;
}

function fits(wish: Wish, path: string): boolean {
  return Buffer.byteLength(path) <= limit(wish);
}

/** From the root, for who reads it in another folder; as it was written where only that is short enough. */
function asWritten(wish: Wish, path: string): string {
  const whole = resolve(path);
  return fits(wish, whole) || !fits(wish, path) ? whole : path;
}

/** The first that nobody has. The run's own notify.sock lies there as well. */
function inFolder(wish: Wish): string {
  const { name } = wish.socket;
  const names = [name, ...Array.from({ length: 100 }, (_, index) => `${name}-${index + 2}`)];
  const paths = names.filter((one) => one !== "notify").map((one) => join(wish.folder, `${one}.sock`));
  const short = Array.from({ length: 100 }, (_, index) => join(wish.folder, `${index}.sock`));
  const shortest = `/tmp/rouse-${randomBytes(6).toString("hex")}.sock`;
  return [...paths, ...short, shortest].find((path) => fits(wish, path) && !existsSync(path)) ?? shortest;
}

function bindAt(wish: Wish, path: string): Opened | Failed {
  const { backlog, mode, group } = wish.socket;
  const warnings: Problem[] = [];
  const result = makeListener(
    { type: "unix", path },
    {
      backlog,
      noDelay: false,
      freeBind: false,
      mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
      beforeListen: () => group !== undefined && warnings.push(...giveTo(wish, path, group)),
    },
  );
  if ("errno" in result) return result;
  const mine = identity(path);
  const remove = (): void => {
    if (identity(path) === mine) unlinkSync(path);
  };
  return { fd: result.fd, address: { type: "unix", path }, warnings, remove };
}

function giveTo(wish: Wish, path: string, group: string): Problem[] {
  const id = groupId(group);
  if (id === undefined) return [cannotGiveGroup(wish, group, "this machine has no such group")];
  try {
    chownSync(path, -1, id);
    return [];
  } catch (error) {
    const { errno = 0 } = error as NodeJS.ErrnoException;
    return [cannotGiveGroup(wish, group, systemWords(-errno))];
  }
}

/** An inode's number is soon given to another file: only with its time of birth it is the same. */
function identity(path: string): string | undefined {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino} ${found.birthtimeNs}`;
}

/** Removes a socket file that nobody listens on. Gives what stands in the way instead. */
function removeStale(wish: Wish, path: string): Problem | undefined {
  const before = identity(path);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return undefined;
  if (!found.isSocket()) return noSocket(wish, path, found);
  const { errno, pid } = tryUnixPath(path);
  if (errno === ENOENT) return undefined;
  if (errno !== ECONNREFUSED) return inUse(wish, path, errno, pid);
  try {
    if (identity(path) === before) unlinkSync(path);
    return undefined;
  } catch (error) {
    const { errno = 0 } = error as NodeJS.ErrnoException;
    return pathProblem(wish, path, -errno);
  }
}
