import { type Address, formatAddress } from "./address.ts";
import { built } from "./built.ts";
import { type DescriptorKind, readSocket, type SocketFacts } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import { duplicate } from "./ffi.ts";
import { supervisor } from "./supervised.ts";

/** A socket that was passed to the program under a name, or that it will bind under that name. */
export interface PassedSocket {
  readonly name: string;
  /** "other": a file of OpenFile= or the descriptor store, or a kind of socket that Node cannot serve. The program's own to use. */
  readonly type: "stream" | "datagram" | "fifo" | "other";
  /** Undefined where it cannot be known (a Node without node:ffi), and for what is no socket. */
  readonly family: "ipv4" | "ipv6" | "unix" | undefined;
  /** "connection": connected already. Undefined: neither listening nor connected, or no socket. */
  readonly role: "listener" | "connection" | undefined;
  /** The descriptor that was handed over. Undefined where the program binds the address itself. */
  readonly fd: number | undefined;
  /** Undefined where it cannot be known, and for a unix socket without a name. */
  readonly address: Address | undefined;
  /** How many connections the kernel keeps until they are accepted. */
  readonly backlog: number;
  /**
   * For a framework that must call listen itself: `server.listen(...socket.listenArguments())`. The backlog is an argument
   * of its own, because Node ignores it beside a descriptor. Such a server is the program's own to close, when
   * `activation.signal` aborts, and `activation.ready()` its own to call.
   * @throws {ActivationError} wrong-kind; in a worker, whose supervisor binds, also address-in-use, permission-denied, listen-failed
   */
  listenArguments(): [options: ListenOptions, backlog: number];
}

/** A fresh object each time: Fastify adds to it. */
export type ListenOptions = { fd: number } | { path: string } | { port: number; host?: string | undefined };

/** A PassedSocket with what only Rouse knows of it. Every activation of this process shares it. */
export interface OwnedSocket extends PassedSocket {
  /** For messages, for example "a unix datagram socket". */
  readonly kind: string;
  /** Of a connection, the other end. */
  readonly peer: Address | undefined;
  /** Never free again, if it was passed: a server that closes closes the descriptor. */
  state: "free" | "taken" | "listening";
  /** Whether the program may be serving it without us knowing. */
  lent: boolean;
}

/**
 * A socket that was handed over. What it is is asked of the kernel when somebody wants to know: loading node:ffi costs more
 * than all else that activate does.
 * @param isConnection whether it is to be one, if the kernel does not say that it listens
 */
export function passedSocket(
  name: string,
  fd: number,
  kind: DescriptorKind,
  isConnection: boolean = name === CONNECTION,
): OwnedSocket {
  let known: SocketFacts | null | undefined;
  const facts = () => {
    if (known === undefined) known = (kind === "socket" && readSocket(fd)) || null;
    return known;
  };
  return own({
    name,
    fd,
    get type() {
      if (kind !== "socket") return kind === "fifo" ? "fifo" : "other";
      const found = facts();
      return found ? (found.type ?? "other") : "stream";
    },
    get kind() {
      return kind === "fifo" ? "a FIFO" : kind === "file" ? "no socket" : (facts()?.kind ?? UNKNOWN);
    },
    get family() {
      return facts()?.family;
    },
    get role() {
      if (kind !== "socket") return undefined;
      const found = facts();
      // One whose client has gone already has no other end any more.
      const hasEnded = isConnection && found?.type === "stream" && !found.role;
      if (found && !hasEnded) return found.role;
      return isConnection ? "connection" : "listener";
    },
    get address() {
      return facts()?.address;
    },
    get peer() {
      return facts()?.peer;
    },
    get backlog() {
      return facts()?.backlog || defaultBacklog(name);
    },
  });
}

/** A socket that the program will bind itself. */
export function boundSocket(name: string, address: Address): OwnedSocket {
  return own({
    name,
    fd: undefined,
    type: address.type === "udp" ? "datagram" : "stream",
    kind: `a ${address.type} socket`,
    family: address.type === "unix" ? "unix" : address.host?.includes(".") ? "ipv4" : "ipv6",
    role: "listener",
    peer: undefined,
    address,
    backlog: defaultBacklog(name),
  });
}

/** What a socket is said to be without node:ffi. */
const UNKNOWN = "a socket";

/** The name of a socket with Accept=yes whose unit gives none (systemd.socket(5)). */
export const CONNECTION = "connection";

/** @throws {ActivationError} wrong-kind; unsupported-socket for a kind that Node cannot serve at all */
export function requireType(socket: OwnedSocket, type: "stream" | "datagram" | "fifo"): void {
  const unfit = type === "stream" && socket.type === type && socket.role === undefined;
  if (unfit)
    throw new ActivationError(
      "unsupported-socket",
      `${describe(socket)} is neither listening nor connected`,
      LISTENING,
    );
  if (socket.type === type || (type === "datagram" && socket.kind === UNKNOWN)) return;
  const what = `${describe(socket)} is ${socket.kind}`;
  if (socket.type === "other")
    throw new ActivationError("unsupported-socket", `${what}, which Node cannot serve`, PASS);
  throw new ActivationError("wrong-kind", `${what}, not a ${type}`, SERVE[socket.type]);
}

/**
 * What to call listen of a stream server with.
 * @throws an error as listen would have it, where a supervisor cannot bind it
 */
export function listenArguments(socket: OwnedSocket): [options: ListenOptions, backlog: number] {
  const { backlog } = socket;
  const fd = socket.fd ?? descriptorFromSupervisor(socket);
  if (fd !== undefined) return [{ fd }, backlog];
  const { type, ...place } = socket.address!;
  return [place, backlog];
}

/**
 * What to call bind of a dgram socket with. For Node a descriptor 0 is none, and it would bind a free port instead.
 * @throws {ActivationError} unsupported-socket
 */
export function bindOptions(
  socket: OwnedSocket,
  type: "udp4" | "udp6" | undefined,
): { fd: number } | { port: number; address?: string } {
  const { address, fd = descriptorFromSupervisor(socket, type === "udp4" ? "0.0.0.0" : "::") } = socket;
  const usable = fd === 0 ? duplicate(fd) : fd;
  if (usable !== undefined) return { fd: usable };
  if (typeof ROUSE_HAS_FFI === "undefined" && fd !== undefined)
    throw new ActivationError(
      "unsupported-socket",
      `${describe(socket)} cannot be served with dgram by this Node (${process.version}), which has no node:ffi`,
      "Use Node 26, or pass the socket under another number",
    );
  const { port, host } = address as { port: number; host: string | undefined };
  return host === undefined ? { port } : { port, address: host };
}

/** For messages: `"http" descriptor 3 127.0.0.1:8080`. */
export function describe(...sockets: readonly Pick<PassedSocket, "name" | "fd" | "address">[]): string {
  const texts = sockets.map(({ name, fd, address }) =>
    [`"${name}"`, fd !== undefined && `descriptor ${fd}`, address && formatAddress(address)].filter(Boolean).join(" "),
  );
  return texts.join(", ") || "none";
}

/** Why it cannot be listened on, from Node's own error. */
export function listenError(socket: OwnedSocket, error: NodeJS.ErrnoException & { mend?: string }): ActivationError {
  if (error instanceof ActivationError) return error;
  const [code, mend] = LISTEN_ERRORS[error.code ?? ""] ?? ["listen-failed", error.mend ?? "Give another address"];
  return new ActivationError(code, `cannot listen on ${describe(socket)}: ${error.message}`, mend, error);
}

// --- internal ---

function own(facts: Omit<OwnedSocket, "listenArguments" | "state" | "lent">): OwnedSocket {
  // Not by spreading, which would ask the kernel at once.
  return Object.defineProperties(
    {
      state: "free",
      lent: false,
      listenArguments(this: OwnedSocket) {
        requireType(this, "stream");
        this.lent = true;
        try {
          return listenArguments(this);
        } catch (error) {
          throw listenError(this, error as NodeJS.ErrnoException);
        }
      },
    },
    Object.getOwnPropertyDescriptors(facts),
  ) as OwnedSocket;
}

/** In a worker, of what its supervisor binds for all. */
function descriptorFromSupervisor({ name, address, backlog }: OwnedSocket, host?: string): number | undefined {
  const chief = supervisor();
  if (!chief) return undefined;
  const place = address?.type === "udp" ? { ...address, host: address.host ?? host } : address!;
  return chief.bind({ name, backlog, address: place });
}

/** The kernel does not tell: what the unit was built with, else the default of systemd and of Linux. */
function defaultBacklog(name: string): number {
  return built?.sockets[name]?.backlog ?? 4096;
}

const PASS = "Pass TCP, UDP, a unix stream socket or a FIFO (ListenStream=, ListenDatagram= with a port, ListenFIFO=)";

const LISTENING = "Pass one that listens (ListenStream= and Accept=no), or a connection (Accept=yes)";

const SERVE = {
  stream: "Serve it with a net, http, https or http2 server",
  datagram: 'Serve it with dgram.createSocket("udp4" or "udp6")',
  fifo: "Read it with activation.fifo(name)",
} as const;

const LISTEN_ERRORS: Readonly<Record<string, readonly [ActivationError["code"], string]>> = {
  EADDRINUSE: ["address-in-use", "Free it (`ss -lp` shows who listens), or give another address"],
  EACCES: ["permission-denied", "Give a port from 1024 on, or a path where this user may write"],
};
