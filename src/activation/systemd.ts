/** The source "systemd": listening sockets by LISTEN_FDS, from systemd, systemd-socket-activate, systemfd and others that speak it. */
import {
  FIRST_DESCRIPTOR,
  type ListenFds,
  parseListenFds,
  takeListenVariables,
  UNNAMED,
} from "../../systemd/listen-fds.ts";
import { readListener, START_DIRECTLY } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import type { OwnedSocket } from "./passed-socket.ts";
import { debug, print } from "./report.ts";

/**
 * Gives the sockets that were passed to this process, or undefined where none were. The variables are consumed, and what
 * they said is kept: asking again about the same environment gives the same sockets, or the same error.
 * @param mayBind whether the program names a fallback: then another process's sockets are a warning, else an error
 * @throws {ActivationError} where the handing over is only half there
 */
export function socketsFromSystemd(env: NodeJS.ProcessEnv, mayBind: boolean): readonly OwnedSocket[] | undefined {
  const known = outcomes.get(env);
  const outcome = known ?? receive(takeListenVariables(env));
  if (outcome) outcomes.set(env, outcome);
  if (!(outcome instanceof ActivationError)) return outcome;
  if (!mayBind || outcome.code !== "other-process") throw outcome;
  if (!known) print(`warning: ${outcome.message} The fallback is bound instead.`);
  return undefined;
}

// --- internal ---

type Outcome = readonly OwnedSocket[] | ActivationError;

const outcomes = new WeakMap<NodeJS.ProcessEnv, Outcome>();

function receive(variables: NodeJS.ProcessEnv): Outcome | undefined {
  let parsed: ListenFds | undefined;
  try {
    parsed = parseListenFds(variables, process.pid);
    if (!parsed) return undefined;
    debug(() => JSON.stringify(variables));
    return parsed.count === 0
      ? otherProcess(
          `LISTEN_PID=${parsed.pid} is ${parsed.pid === process.ppid ? "the parent of" : "not"} this process (${process.pid})`,
        )
      : readSockets(parsed);
  } catch (error) {
    if (!(error instanceof ActivationError)) throw error;
    // Without LISTEN_PID the descriptors are the only witness, and they say no.
    return parsed && parsed.pid === undefined
      ? otherProcess("there is no LISTEN_PID, and not every descriptor is a listening socket")
      : error;
  }
}

/** Stops at the first descriptor that is not there: the count may be anything up to 2^31. */
function readSockets({ count, names }: ListenFds): OwnedSocket[] {
  const sockets: OwnedSocket[] = [];
  for (let i = 0; i < count; i++) sockets.push(readListener(FIRST_DESCRIPTOR + i, names?.[i] ?? UNNAMED));
  return sockets;
}

function otherProcess(why: string): ActivationError {
  return new ActivationError("other-process", `LISTEN_FDS is not for this process: ${why}`, START_DIRECTLY);
}
