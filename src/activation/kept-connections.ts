/** The HTTP/1 connections of one server that clients keep between their requests. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

export interface KeptConnections {
  /**
   * A request on it has been answered.
   * @param read the bytes that its client had sent by then. Fewer, where nobody looked at the end of its body: then it does
   * not count as idle here, and is left to Node's own closeIdleConnections
   */
  answered(request: IncomingMessage, read: number): void;
  /**
   * Ends those on which nothing has come since the last answer. One in each turn of the event loop: all at once, what comes
   * for the last while the first is being closed would be lost in the kernel's buffer.
   */
  endIdle(): Promise<void>;
}

export function keepConnections(): KeptConnections {
  /** With how many bytes the client had sent by its last answer. Of a TLS connection, what is within. */
  const idleSince = new Map<Socket, number>();
  const isIdle = (socket: Socket): boolean => idleSince.get(socket) === socket.bytesRead && socket.writableLength === 0;

  return {
    answered({ socket, complete }, read) {
      if (!complete || socket.destroyed) return;
      if (!idleSince.has(socket)) socket.once("close", () => idleSince.delete(socket));
      idleSince.set(socket, read);
    },

    async endIdle() {
      for (const socket of idleSince.keys()) {
        if (!isIdle(socket)) continue;
        await turn();
        if (isIdle(socket)) socket.destroy();
      }
    },
  };
}
