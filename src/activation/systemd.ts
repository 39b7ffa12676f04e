/** The source "systemd": listening sockets by LISTEN_FDS, from systemd, systemd-socket-activate, systemfd and others that speak it. */
import {
  FIRST_DESCRIPTOR,
  type ListenFds,
  parseListenFds,
  takeListenVariables,
  UNNAMED,
} from "../../systemd/listen-fds.ts";
import { backlogOf } from "./backlog.ts";
import { readListener } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import { OwnedSocket } from "./passed-socket.ts";
import { debug, warn } from "./report.ts";

/**
 * Gives the sockets that were passed to this process, or undefined where none were. The variables are consumed, and what
 * they said is kept: asking again about the same environment gives the same sockets, or the same error.
 * @param mayBind whether the program names a fallback: then another process's sockets are a warning, else an error
 * @throws {ActivationError} where the handing over is only half there
 */
export function socketsFromSystemd(env: NodeJS.ProcessEnv, mayBind: boolean): readonly OwnedSocket[] | undefined {
  const known = outcomes.get(env);
  const outcome = known ?? receive(takeListenVariables(env));
  if (outcome.kind !== "none") outcomes.set(env, outcome);
  if (outcome.kind === "broken" || (outcome.kind === "foreign" && !mayBind)) throw outcome.error;
  if (outcome.kind === "foreign" && !known) warn(`${outcome.error.message} The fallback is bound instead.`);
  return outcome.kind === "passed" ? outcome.sockets : undefined;
}

// --- internal ---

type Outcome =
  | { readonly kind: "none" }
  | { readonly kind: "passed"; readonly sockets: readonly OwnedSocket[] }
  | { readonly kind: "foreign" | "broken"; readonly error: ActivationError };

const outcomes = new WeakMap<NodeJS.ProcessEnv, Outcome>();

function receive(variables: NodeJS.ProcessEnv): Outcome {
  let parsed: ListenFds | undefined;
  try {
    parsed = parseListenFds(variables, process.pid);
    if (parsed.kind === "none") return parsed;
    debug(() =>
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
    );
    if (parsed.kind === "foreign") return { kind: "foreign", error: otherProcess(parsed.pid) };
    return { kind: "passed", sockets: readSockets(parsed.count, parsed.names) };
  } catch (error) {
    if (!(error instanceof ActivationError)) throw error;
    if (parsed?.kind === "passed" && !parsed.addressed) return { kind: "foreign", error: notOurs(error) };
    return { kind: "broken", error };
  }
}

/** Stops at the first descriptor that is not there: `count` may be anything up to 2^31. */
function readSockets(count: number, names: readonly string[] | undefined): OwnedSocket[] {
  const sockets: OwnedSocket[] = [];
  for (let index = 0; index < count; index++) {
    const name = names?.[index] ?? UNNAMED;
    const facts = readListener(FIRST_DESCRIPTOR + index, name);
    sockets.push(new OwnedSocket({ ...facts, name, backlog: facts.backlog ?? backlogOf(name) }));
  }
  return sockets;
}

function otherProcess(pid: number): ActivationError {
  const whose = pid === process.ppid ? "which is the parent of this process" : "which is another process";
  return new ActivationError(
    "other-process",
    `LISTEN_PID=${pid} passes the sockets to process ${pid}, ${whose} (${process.pid})`,
    "npm run, node --run and node --watch do not hand descriptors on: start node itself (with exec, in a shell script)",
  );
}

/** Without LISTEN_PID the descriptors are the only witness, and they say no. */
function notOurs(error: ActivationError): ActivationError {
  return new ActivationError(
    "other-process",
    `LISTEN_FDS is set without LISTEN_PID, and ${error.message.replace(` ${error.mend}.`, "").replace(/\.$/, "")}`,
    "npm run, node --run and node --watch do not hand descriptors on: start node itself (with exec, in a shell script)",
    { cause: error },
  );
}
