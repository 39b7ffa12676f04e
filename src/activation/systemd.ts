/** The source "systemd": descriptors by LISTEN_FDS, from systemd, systemd-socket-activate, systemfd and others that speak it. */
import {
  FIRST_DESCRIPTOR,
  type ListenFds,
  parseListenFds,
  takeListenVariables,
  UNNAMED,
} from "../../systemd/listen-fds.ts";
import { descriptorKind, isNodesOwn, lostDescriptor, START_DIRECTLY } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
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

const outcomes = new WeakMap<NodeJS.ProcessEnv, Outcome>();

function receive(variables: NodeJS.ProcessEnv): Outcome {
  let parsed: ListenFds | undefined;
  try {
    parsed = parseListenFds(variables, process.pid);
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

function whoseSockets(pid: number): string {
  return `LISTEN_PID=${pid} ${pid === process.ppid ? "names the parent of" : "is not"} this process (${process.pid})`;
}

function otherProcess(why: string): ActivationError {
  return new ActivationError("other-process", `LISTEN_FDS is not for this process: ${why}`, START_DIRECTLY);
}
