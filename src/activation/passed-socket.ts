import { type Address, formatAddress } from "./address.ts";

/** A socket that the program asked for by name, or may ask for. */
export interface PassedSocket {
  readonly name: string;
  readonly type: "stream";
  /** Undefined where it cannot be known (a Node without node:ffi). */
  readonly family: "ipv4" | "ipv6" | "unix" | undefined;
  readonly role: "listener";
  /** The descriptor that was handed over. Undefined where the program binds the address itself. */
  readonly fd: number | undefined;
  /** Undefined where it cannot be known, and for a unix socket without a name. */
  readonly address: Address | undefined;
  /** How many connections the kernel keeps until they are accepted. */
  readonly backlog: number;
  /**
   * What to call `server.listen(...socket.listenArguments())` with, for a framework that must call it itself. The backlog
   * is an argument of its own, because Node ignores it beside a descriptor. Such a server is the program's own to close:
   * when `activation.signal` aborts.
   */
  listenArguments(): [options: ListenOptions, backlog: number];
}

/** Of a fresh object: Fastify adds to it. */
export type ListenOptions = { fd: number } | { path: string } | { port: number; host?: string };

/** Where a socket stands: nobody's yet, given to a server, or served. It never becomes free again: a server that closes closes the descriptor. */
export type SocketState = "free" | "taken" | "listening";

/** A PassedSocket with what only Rouse knows of it. Every activation in this process shares it. */
export class OwnedSocket implements PassedSocket {
  readonly type = "stream";
  readonly role = "listener";
  readonly name: string;
  readonly family: PassedSocket["family"];
  readonly fd: number | undefined;
  readonly address: Address | undefined;
  readonly backlog: number;
  /** Starts free. */
  state: SocketState = "free";
  /** Whether the program may be serving it without us knowing. */
  lent = false;

  constructor(facts: Pick<PassedSocket, "name" | "family" | "fd" | "address" | "backlog">) {
    this.name = facts.name;
    this.family = facts.family;
    this.fd = facts.fd;
    this.address = facts.address;
    this.backlog = facts.backlog;
  }

  listenArguments(): [options: ListenOptions, backlog: number] {
    this.lent = true;
    return bindArguments(this);
  }
}

export function bindArguments(socket: PassedSocket): [options: ListenOptions, backlog: number] {
  const { fd, address, backlog } = socket;
  if (fd !== undefined) return [{ fd }, backlog];
  if (address?.type === "unix") return [{ path: address.path }, backlog];
  const { host, port } = address!;
  return [host === undefined ? { port } : { port, host }, backlog];
}

/** For messages: `"http" (descriptor 3, 127.0.0.1:8080)`. */
export function describeSocket(socket: Pick<PassedSocket, "name" | "fd" | "address">): string {
  const places = [
    socket.fd === undefined ? undefined : `descriptor ${socket.fd}`,
    socket.address && formatAddress(socket.address),
  ];
  return `"${socket.name}" (${places.filter((place) => place !== undefined).join(", ")})`;
}
