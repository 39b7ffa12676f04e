import { type Address, formatAddress } from "./address.ts";
import { built } from "./built.ts";

/** A socket that was passed to the program under a name, or that it will bind under that name. */
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
   * For a framework that must call listen itself: `server.listen(...socket.listenArguments())`. The backlog is an argument
   * of its own, because Node ignores it beside a descriptor. Such a server is the program's own to close, when
   * `activation.signal` aborts, and `activation.ready()` its own to call.
   */
  listenArguments(): [options: ListenOptions, backlog: number];
}

/** A fresh object each time: Fastify adds to it. */
export type ListenOptions = { fd: number } | { path: string } | { port: number; host?: string | undefined };

/** A PassedSocket with what only Rouse knows of it. Every activation of this process shares it. */
export interface OwnedSocket extends PassedSocket {
  /** Never free again, if it was passed: a server that closes closes the descriptor. */
  state: "free" | "taken" | "listening";
  /** Whether the program may be serving it without us knowing. */
  lent: boolean;
}

/** `backlog` undefined: the kernel does not tell, so what the unit was built with, else the default of systemd and of Linux. */
export function ownSocket(
  facts: Pick<PassedSocket, "name" | "family" | "fd" | "address"> & { readonly backlog?: number | undefined },
): OwnedSocket {
  return {
    ...facts,
    backlog: facts.backlog ?? built?.sockets[facts.name]?.backlog ?? 4096,
    type: "stream",
    role: "listener",
    state: "free",
    lent: false,
    listenArguments() {
      this.lent = true;
      return bindArguments(this);
    },
  };
}

export function bindArguments({ fd, address, backlog }: PassedSocket): [options: ListenOptions, backlog: number] {
  if (fd !== undefined) return [{ fd }, backlog];
  const { type, ...place } = address!;
  return [place, backlog];
}

/** For messages: `"http" descriptor 3 127.0.0.1:8080`. */
export function describe(...sockets: readonly PassedSocket[]): string {
  const texts = sockets.map(({ name, fd, address }) =>
    [`"${name}"`, fd && `descriptor ${fd}`, address && formatAddress(address)].filter(Boolean).join(" "),
  );
  return texts.join(", ") || "none";
}
