/** A listen or bind call of the program, in any of the forms that Node documents. */
import type { Address } from "./address.ts";

export interface ProgramCall {
  /** An abstract unix name starts with "@". */
  readonly address: Address;
  readonly callback: (() => void) | undefined;
  readonly backlog: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The arguments of net.Server.listen; undefined for a descriptor or a handle, which is the program's own, and for what Node refuses. */
export function readListen(args: readonly unknown[]): ProgramCall | undefined {
  const [first, second, third] = args;
  const options: ListenOptions = isObject(first)
    ? first
    : isPath(first)
      ? { path: first }
      : { port: typeof first === "function" ? 0 : first, ...(typeof second === "string" && { host: second }) };
  const { port, host, path, fd, handle, signal } = options;
  if (typeof fd === "number" || handle || "_handle" in options) return undefined;
  const backlog = options.backlog || [Number(second), Number(third)].find((number) => number > 0);
  const rest = { callback: callbackOf(args), backlog, signal };
  if ("port" in options) return { address: { type: "tcp", host: host || undefined, port: Number(port ?? 0) }, ...rest };
  if (!path) return undefined;
  return { address: { type: "unix", path: path.replace(/^\0/, "@") }, ...rest };
}

/** The arguments of dgram.Socket.bind; undefined for a descriptor or a handle. */
export function readBind(args: readonly unknown[]): ProgramCall | undefined {
  const [first, second] = args;
  const { port, address, fd, recvStart }: BindOptions = isObject(first) ? first : { port: first, address: second };
  if (typeof fd === "number" || recvStart) return undefined;
  return {
    address: {
      type: "udp",
      host: typeof address === "string" && address !== "" ? address : undefined,
      port: typeof port === "function" ? 0 : Number(port ?? 0),
    },
    callback: callbackOf(args),
    backlog: undefined,
    signal: undefined,
  };
}

// --- internal ---

/** Values as the program gives them: Node takes numbers as text, too. */
interface ListenOptions {
  readonly port?: unknown;
  readonly host?: string;
  readonly path?: string;
  readonly fd?: unknown;
  readonly handle?: unknown;
  readonly backlog?: number;
  readonly signal?: AbortSignal;
}

interface BindOptions {
  readonly port?: unknown;
  readonly address?: unknown;
  readonly fd?: unknown;
  /** Of a handle. */
  readonly recvStart?: unknown;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** As Node tells a path from a port that is given as text. */
function isPath(value: unknown): value is string {
  return typeof value === "string" && !(Number(value) >= 0);
}

function callbackOf(args: readonly unknown[]): (() => void) | undefined {
  const last = args.at(-1);
  return typeof last === "function" ? (last as () => void) : undefined;
}
