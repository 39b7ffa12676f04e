import { type Stats, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { UNNAMED } from "../../../../systemd/listen-fds.ts";
import type { Problem } from "../../../problem.ts";
import { commandOf, findHolder } from "./holder.ts";
import { problemOf, systemWords, type Wish } from "./opened.ts";

export function tooLong(wish: Wish, path: string, limit: number): Problem {
  const what = `the unix path is ${Buffer.byteLength(path)} bytes long, and ${limit} is the most that the kernel takes: ${path}`;
  return problemOf(wish, "path-too-long", what, elsewhere(wish, "/tmp"));
}

export function noSocket(wish: Wish, path: string, found: Stats): Problem {
  const what = `${path} is ${kindOf(found)}, no socket`;
  return problemOf(wish, "path-no-socket", what, `remove it yourself, or ${elsewhere(wish, dirname(path))}`);
}

/** @param errno of the connecting; 0 where somebody has answered, who is `pid` where that is known */
export function inUse(wish: Wish, path: string, errno: number, pid: number | undefined): Problem {
  const other = elsewhere(wish, dirname(path));
  if (errno === EACCES || errno === EPERM) {
    const what = `${path} is there, and this user may not know whether somebody listens on it`;
    return problemOf(wish, "path-denied", what, other);
  }
  const command = pid === undefined ? undefined : commandOf(pid);
  const holder =
    command === undefined ? findHolder({ type: "unix", path }, wish.platform) : { pid, command, others: 0 };
  const who = holder?.pid === undefined ? "somebody" : `${holder.command ?? "a process"} (pid ${holder.pid})`;
  const end = holder?.pid === 1 ? "stop the .socket unit that has it (systemctl list-sockets)" : "end that process";
  return problemOf(wish, "path-in-use", `${who} listens on ${path}`, `${end}, or ${other}`);
}

/** Why a path could not be bound. */
export function pathProblem(wish: Wish, path: string, errno: number): Problem {
  const folder = dirname(path);
  if (errno === ENOENT || errno === ENOTDIR) {
    const [lacking, found] = nearest(folder);
    const isFile = found !== undefined;
    const what = `${path} cannot be made: ${isFile ? `${lacking} is no folder` : `there is no folder ${folder}`}`;
    return problemOf(wish, "no-folder", what, isFile ? elsewhere(wish, "/tmp") : `mkdir -p ${folder}`);
  }
  const why =
    errno === EACCES || errno === EPERM
      ? `this user may not write to ${folder}`
      : errno === EROFS
        ? `${folder} is read-only`
        : systemWords(errno);
  return problemOf(wish, "path-denied", `${path} cannot be made: ${why}`, elsewhere(wish, "/tmp"));
}

/** The socket is there, but others of the group cannot connect. */
export function cannotGiveGroup(wish: Wish, group: string, why: string): Problem {
  const what = `the socket "${wish.socket.name}" does not get the group ${group}: ${why}`;
  return problemOf(
    wish,
    "group-denied",
    what,
    "who is in it cannot connect in this run; as root, or as a member, it works",
  );
}

// --- internal ---

const { EACCES, ENOENT, ENOTDIR, EPERM, EROFS } = constants.errno;

function elsewhere({ socket }: Wish, folder: string): string {
  const [name, file] = socket.name === UNNAMED ? ["", "server"] : [`${socket.name}=`, socket.name];
  return `choose another path, for example --socket ${name}${join(folder, `${file}-2.sock`)}`;
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) return "a folder";
  if (found.isSymbolicLink()) return "a symbolic link";
  if (found.isFIFO()) return "a pipe";
  return found.isFile() ? "a file" : "a device";
}

/** The first on the way from the root that is there and is no folder; undefined beside it where one is lacking. */
function nearest(folder: string): [path: string, found: Stats | undefined] {
  const parts = folder.split("/");
  for (let count = 1; count <= parts.length; count++) {
    const path = parts.slice(0, count).join("/") || "/";
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isDirectory()) return [path, found];
  }
  return [folder, undefined];
}
