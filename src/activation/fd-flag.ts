/**
 * The explicit choice: `--fd N`, `--fd=N`, `-f N`, `-fN`, SERVER_LISTEN_FD=N, as static-web-server documents them, or `fd` in the
 * program's own words.
 */
import { descriptorKind } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import { describe, type OwnedSocket, passedSocket } from "./passed-socket.ts";
import { debug } from "./report.ts";

/** Where a number was found, for messages, for example "--fd 0". */
export interface ExplicitDescriptor {
  readonly number: number;
  readonly from: string;
}

/**
 * Finds the number in the arguments, else in the environment, and takes it out of both: a program that reads its arguments
 * strictly would refuse what it does not know, and a child would take the variable for its own.
 * @param argv the program's own arguments come from index 2 on; nothing after "--" is looked at
 * @throws {ActivationError} bad-option
 */
export function takeFdFlag(argv: string[], env: NodeJS.ProcessEnv): ExplicitDescriptor | undefined {
  const variable = env.SERVER_LISTEN_FD;
  Reflect.deleteProperty(env, "SERVER_LISTEN_FD");
  const found = takeFlag(argv) ?? (variable !== undefined && { value: variable, from: `SERVER_LISTEN_FD=${variable}` });
  if (!found) return taken.get(env);
  if (!/^\d{1,9}$/.test(found.value ?? "")) {
    throw new ActivationError("bad-option", `${found.from} is no descriptor`, "Give a number, for example --fd 0");
  }
  const explicit = { number: Number(found.value), from: found.from };
  taken.set(env, explicit);
  return explicit;
}

/**
 * Where sockets were passed, N counts them from 0, or is the descriptor of one of them; where none were, it is the
 * descriptor itself (inetd's is 0).
 * @param passed what systemd's protocol says
 * @param name what the program calls its first socket
 * @throws {ActivationError} bad-descriptor; other-process
 */
export function socketFromDescriptor(
  { number, from }: ExplicitDescriptor,
  passed: readonly OwnedSocket[] | ActivationError | undefined,
  name: string,
): OwnedSocket {
  const known = sockets.get(number);
  if (known) return known;
  const one = Array.isArray(passed) ? choose(passed, number) : undefined;
  if (Array.isArray(passed) && !one) {
    const range = passed.length === 1 ? "0" : `0 to ${passed.length - 1}`;
    throw new ActivationError(
      "bad-descriptor",
      `${from} is neither the place nor the descriptor of a passed socket; passed: ${describe(...passed)}`,
      `Give ${range}, or a descriptor of these`,
    );
  }
  const fd = one?.fd ?? number;
  const kind = descriptorKind(fd);
  debug(
    () => `${from}: ${one ? `${describe(one)}, by LISTEN_FDS` : `descriptor ${fd}, which is ${kind ?? "not open"}`}`,
  );
  if (kind === "socket" || kind === "fifo") {
    const socket = passedSocket(name, fd, kind);
    sockets.set(number, socket);
    return socket;
  }
  if (passed instanceof ActivationError) throw passed;
  throw new ActivationError(
    "bad-descriptor",
    `${from}: descriptor ${fd} is ${kind ? "no socket" : "not open"}, and no LISTEN_FDS passes any`,
    "Start the program by systemd, systemd-socket-activate or inetd, or leave the number out",
  );
}

// --- internal ---

const taken = new WeakMap<NodeJS.ProcessEnv, ExplicitDescriptor>();
const sockets = new Map<number, OwnedSocket>();

/** `--fd`, `-f`, and joined `--fd=N`, `-f=N`, `-fN`. */
const FLAG = /^(?:(--fd|-f)(?:=(.*))?|-f(\d+))$/s;

function takeFlag(argv: string[]): { value: string | undefined; from: string } | undefined {
  const end = argv.indexOf("--");
  const index = argv.findIndex((text, at) => at >= 2 && (end < 0 || at < end) && FLAG.test(text));
  if (index < 0) return undefined;
  const [, flag = "-f", after, digits] = FLAG.exec(argv[index]!)!;
  const joined = after ?? digits;
  const value = joined ?? argv[index + 1];
  argv.splice(index, joined === undefined ? 2 : 1);
  return { value, from: `${flag} ${value ?? ""}`.trim() };
}

function choose(passed: readonly OwnedSocket[], number: number): OwnedSocket | undefined {
  return passed[number] ?? passed.find(({ fd }) => fd === number);
}
