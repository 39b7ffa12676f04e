/** The source "systemd": descriptors by LISTEN_FDS, from systemd, systemd-socket-activate, systemfd and others that speak it. */
import { closeSync, fstatSync, statfsSync } from "node:fs";
import {
  FIRST_DESCRIPTOR,
  type ListenFds,
  parseListenFds,
  takeListenVariables,
  UNNAMED,
} from "../../systemd/listen-fds.ts";
import { ancestorCommand } from "./ancestors.ts";
import { descriptorKind, isNodesOwn, lostDescriptor, START_DIRECTLY } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import { openPidfd } from "./ffi.ts";
import { type OwnedSocket, passedSocket } from "./passed-socket.ts";
import { debug } from "./report.ts";

/**
 * Gives what was passed to this process, an error where the handing over is only half there or meant another process
 * ("other-process"), or undefined where nothing was passed. The variables are consumed, and what they said is kept: asking
 * again about the same environment gives the same sockets, or the same error.
 */
export function socketsFromSystemd(env: NodeJS.ProcessEnv): readonly OwnedSocket[] | ActivationError | undefined {
  if (!outcomes.has(env)) outcomes.set(env, receive(takeListenVariables(env)));
  return outcomes.get(env);
}

// --- internal ---

type Outcome = readonly OwnedSocket[] | ActivationError | undefined;

/** PID_FS_MAGIC of linux/magic.h. */
const PIDFS = 0x50494446;

const outcomes = new WeakMap<NodeJS.ProcessEnv, Outcome>();

function receive(variables: NodeJS.ProcessEnv): Outcome {
  let parsed: ListenFds | undefined;
  try {
    parsed = parseListenFds(variables, process.pid, ownPidfdId);
    debug(() => `systemd: ${parsed ? JSON.stringify(variables) : "no LISTEN_FDS"}`);
    if (!parsed) return undefined;
    return parsed.count === 0 ? otherProcess(whoseSockets(parsed.pid!)) : readSockets(parsed);
  } catch (error) {
    if (!(error instanceof ActivationError)) throw error;
    // Without LISTEN_PID the descriptors are the only witness, and they say no.
    return parsed && parsed.pid === undefined
      ? otherProcess("there is no LISTEN_PID, and not every descriptor is a socket")
      : error;
  }
}

/** Stops at the first descriptor that is not there: the count may be anything up to 2^31. */
function readSockets({ pid, count, names }: ListenFds): OwnedSocket[] {
  const sockets: OwnedSocket[] = [];
  for (let i = 0; i < count; i++) {
    const [fd, name] = [FIRST_DESCRIPTOR + i, names?.[i] ?? UNNAMED];
    const kind = descriptorKind(fd);
    if (!kind) throw lostDescriptor(fd, name, "not open, though LISTEN_FDS counts it");
    if (kind !== "socket" && (pid === undefined || isNodesOwn(fd))) {
      throw lostDescriptor(
        fd,
        name,
        "no socket but Node's own: what was passed was lost before Node started (process.execve closes descriptors and keeps the pid)",
      );
    }
    sockets.push(passedSocket(name, fd, kind));
  }
  return sockets;
}

/** pidfd_open(2). Only pidfs, of Linux 6.9, gives each process a number of its own (systemd: pidfd_get_inode_id). */
function ownPidfdId(): bigint | undefined {
  const fd = openPidfd(process.pid);
  if (fd === undefined) return undefined;
  try {
    const isPidfs = statfsSync(`/proc/self/fd/${fd}`).type === PIDFS;
    return isPidfs ? fstatSync(fd, { bigint: true }).ino : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function whoseSockets(pid: number): string {
  if (pid === process.pid) return `LISTEN_PIDFDID is of an earlier process with the number ${pid}`;
  const command = ancestorCommand(pid);
  return command === undefined
    ? `LISTEN_PID=${pid} is not this process (${process.pid})`
    : `LISTEN_PID=${pid} names what started this process (${process.pid}), which is \`${command.slice(0, 100)}\``;
}

function otherProcess(why: string): ActivationError {
  return new ActivationError("other-process", `LISTEN_FDS is not for this process: ${why}`, START_DIRECTLY);
}
