/** A server or datagram socket of the program, which is to see what Node would show it. */
import type { Socket as DatagramSocket } from "node:dgram";
import { Server } from "node:net";
import type { Address } from "./address.ts";
import type { ActivationError } from "./error.ts";

export type Listener = Server | DatagramSocket;

export function stateOf(socket: DatagramSocket): "unbound" | "bound" | "closed" {
  try {
    socket.address();
    return "bound";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_SOCKET_DGRAM_NOT_RUNNING" ? "closed" : "unbound";
  }
}

/** Its descriptor is closed. */
export function isOver(listener: Listener): boolean {
  return listener instanceof Server ? !listener.listening : stateOf(listener) !== "bound";
}

/** A dgram socket is bound to a descriptor at once, to a port later: the program may wait for the event after its call. */
export function tellLater<T>(listener: Listener, work: () => T): T {
  const { emit } = listener;
  const isOwn = Object.hasOwn(listener, "emit");
  listener.emit = (event: string, ...args: unknown[]) => {
    if (event !== "listening") return Reflect.apply(emit, listener, [event, ...args]);
    process.nextTick(() => listener.emit(event));
    return true;
  };
  try {
    return work();
  } finally {
    if (isOwn) listener.emit = emit;
    else Reflect.deleteProperty(listener, "emit");
  }
}

/** To the program, a socket that has a server already is an address in use, which some know how to mend. */
export function asNodesOwn(error: ActivationError, { type, ...place }: Address): Error {
  if (error.code !== "socket-taken" && error.code !== "address-in-use") return error;
  const syscall = type === "udp" ? "bind" : "listen";
  const { path, host = "::", port } = { path: undefined, host: undefined, port: undefined, ...place };
  const message = `${syscall} EADDRINUSE: address already in use ${path ?? `${host}:${port}`}. ${error.message}`;
  const errno = process.platform === "darwin" ? -48 : -98;
  return Object.assign(new Error(message), { code: "EADDRINUSE", errno, syscall, address: path ?? host, port });
}
