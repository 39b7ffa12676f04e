/** Tells the launcher of the first byte of the first answer, in the program's own process, which alone sees it. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { closeSync, writeSync } from "node:fs";
import { Server, Socket } from "node:net";

/**
 * Writes `first-byte MICROSECONDS accepted MICROSECONDS` (CLOCK_MONOTONIC) to a descriptor, once, when a server of this
 * process answers, and closes it; the second is when the first connection was taken. Until then it looks at what is written
 * to connections; afterwards everything is as it was. It keeps nothing alive. Datagrams are not told of.
 */
export function reportFirstByte(fd: number): void {
  const served = new WeakSet<object>();
  const called = new WeakSet<object>();
  const { _write, _writev, connect } = Socket.prototype as InnerSocket;
  const { emit } = Server.prototype;
  let isTold = false;
  let accepted: bigint | undefined;

  const tell = (): void => {
    if (isTold) return;
    isTold = true;
    for (const restore of wrapped) restore();
    unsubscribe(HTTP2_ANSWER, tell);
    const now = process.hrtime.bigint();
    try {
      writeSync(fd, `first-byte ${now / 1000n} accepted ${(accepted ?? now) / 1000n}\n`);
      closeSync(fd);
    } catch {
      // The launcher is gone.
    }
  };

  const look = (socket: Socket): void => {
    if (served.has(socket) || isAlone(socket)) tell();
  };
  /** The one connection of this process, which it has as a descriptor, and no server of it. */
  const isAlone = (socket: Socket): boolean =>
    !called.has(socket) && !("encrypted" in socket) && socket.remoteAddress !== undefined;

  const wrapped = [
    wrap(Server.prototype, "emit", function (this: Server, ...args: Parameters<Server["emit"]>) {
      if (args[0] === "connection") accepted ??= process.hrtime.bigint();
      // A TLS server has the connection under both names: what goes out before the second is no answer yet.
      if (ANSWERING.includes(args[0]) && typeof args[1] === "object" && args[1]) served.add(args[1]);
      return Reflect.apply(emit, this, args);
    }),
    wrap(Socket.prototype as InnerSocket, "_write", function (this: Socket, ...args: unknown[]) {
      look(this);
      return Reflect.apply(_write, this, args);
    }),
    wrap(Socket.prototype as InnerSocket, "_writev", function (this: Socket, ...args: unknown[]) {
      look(this);
      return Reflect.apply(_writev, this, args);
    }),
    wrap(Socket.prototype, "connect", function (this: Socket, ...args: unknown[]) {
      called.add(this);
      return Reflect.apply(connect, this, args);
    } as Socket["connect"]),
  ];
  // HTTP/2 writes past the sockets.
  subscribe(HTTP2_ANSWER, tell);
}

// --- internal ---

const HTTP2_ANSWER = "http2.server.stream.finish";

const ANSWERING: readonly unknown[] = ["connection", "secureConnection"];

type InnerSocket = Socket & { _write: Writer; _writev: Writer };
type Writer = (...args: unknown[]) => unknown;

/** @returns what takes it away again, unless somebody else has wrapped it since */
function wrap<T extends object, K extends keyof T>(holder: T, key: K, wrapper: T[K]): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, key);
  const value = wrapper;
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
  return () => {
    if (holder[key] !== value) return;
    if (before) Object.defineProperty(holder, key, before);
    else Reflect.deleteProperty(holder, key);
  };
}
