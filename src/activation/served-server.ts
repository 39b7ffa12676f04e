/** One server of the program, every listener that feeds it, and what must end before the process may. */
import type { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2Session } from "node:http2";
import { Server, Socket } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { keepConnections } from "./kept-connections.ts";
import { listenOn } from "./listen.ts";
import type { Served, Traffic } from "./served.ts";

/**
 * Of several sockets the first is the server's own, the others are listeners that forward their connections to it. A socket
 * that is connected already (one process per connection) becomes the server's one connection.
 */
export function serve(server: Server & { closeIdleConnections?(): void }, { touch }: Traffic): Served {
  const listeners = new Set<Server>();
  const connections = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  /**
   * Of HTTP/1: the unfinished ones of each connection, and until its next request finished ones too. To hear of the end of
   * each would cost 5 % of what Node can serve.
   */
  const responses = new Map<Socket, Answer[]>();
  const closing = new WeakMap<Socket, ServerResponse>();
  const kept = keepConnections();
  const isSecure = "setSecureContext" in server;
  let draining = false;
  let accepted = 0;
  let lastBegun = 0;

  const begin = () => {
    lastBegun = performance.now();
  };
  server.prependListener("connection", (socket: Socket) => {
    accepted++;
    begin();
    connections.add(socket);
    socket.on("close", endConnection);
    touch();
  });
  server.prependListener("secureConnection", begin);
  // Where the program closes its server by itself, as frameworks do, the other listeners must not go on.
  const { close } = server;
  Object.defineProperty(server, "close", {
    configurable: true,
    writable: true,
    value(...args: unknown[]) {
      listeners.delete(server);
      stopAccepting();
      return Reflect.apply(close, server, args);
    },
  });

  server.prependListener("session", (session: Http2Session) => hold(sessions, session, touch));
  const answering = (request: IncomingMessage, response: ServerResponse) => {
    if (request.httpVersionMajor > 1) return;
    keep(request.socket, response);
    if (draining) leaveAfter({ response, read: request.socket.bytesRead });
  };

  function endConnection(this: Socket): void {
    connections.delete(this);
    responses.delete(this);
    touch();
  }

  function keep(socket: Socket, response: ServerResponse): void {
    const those = responses.get(socket);
    const answer = { response, read: socket.bytesRead };
    if (!those) {
      responses.set(socket, [answer]);
      // Over TLS it is another than that of "connection".
      if (!connections.has(socket)) socket.on("close", endConnection);
      return;
    }
    while (those[0]?.response.writableFinished) those.shift();
    those.push(answer);
  }

  /** Ends the connection when this response is sent, or soon after. */
  function leaveAfter({ response, read }: Answer): void {
    if (response.writableFinished) {
      kept.answered(response.req, read);
      return;
    }
    sayClose(response);
    response.once("close", () => kept.answered(response.req, response.req.socket.bytesRead));
  }

  // To listen is what makes Node leave an Expect header to the program, and what switches an HTTP/2 server to its
  // compatibility layer: not ours to do.
  const isHeard = (event: string) => server.listenerCount(event) > 0;
  if (!("updateSettings" in server) || isHeard("request")) server.prependListener("request", answering);
  for (const event of ["checkContinue", "checkExpectation"].filter(isHeard)) server.prependListener(event, answering);

  /**
   * A listener of our own would reset what waits to be accepted. libuv accepts one connection in each turn of the event loop,
   * and the first turn here may be the rest of the present one. Clients that never stop coming get half a second.
   */
  async function acceptQueued(): Promise<void> {
    const end = performance.now() + 500;
    await turn();
    let before: number;
    do {
      before = accepted;
      await turn();
    } while (accepted > before && performance.now() < end);
  }

  function stopAccepting(these: Iterable<Server> = listeners): void {
    for (const listener of these) {
      listeners.delete(listener);
      // http.Server's own close resets connections whose next request waits in the kernel's buffer.
      if (listener.listening) Server.prototype.close.call(listener);
    }
  }

  /** Tells a keep-alive client that its next request needs another connection. */
  function sayClose(response: ServerResponse): void {
    if (response.headersSent) return;
    // Where several requests came at once (pipelining), after this answer Node would send no other.
    const earlier = closing.get(response.req.socket);
    if (earlier && !earlier.headersSent) earlier.removeHeader("Connection");
    response.setHeader("Connection", "close");
    closing.set(response.req.socket, response);
  }

  async function closeIdle(): Promise<void> {
    // The first request is a moment behind the connection, and over TLS behind the handshake.
    if (performance.now() - lastBegun < MOMENT) return;
    for (const session of sessions) session.close();
    // Not one byte of a handshake: a browser's or a load balancer's, for later use.
    if (isSecure) for (const connection of connections) if (connection.bytesRead === 0) connection.destroy();
    await kept.endIdle();
    // Node takes a response that was ended but is not sent yet for idle, and would cut it off.
    const isUnsent = ({ response }: Answer) => response.writableEnded && !response.writableFinished;
    if ([...responses.values()].some((those) => those.some(isUnsent))) return;
    server.closeIdleConnections?.();
  }

  return {
    async listen(sockets) {
      const begun: Server[] = [];
      const results = await Promise.allSettled(
        sockets.map((socket, index) => {
          if (socket.role === "connection") return receive(server, socket.fd!);
          const isFirst = index === 0 && !server.listening && !listeners.has(server);
          const listener = isFirst ? server : forwarderTo(server);
          listeners.add(listener);
          begun.push(listener);
          return listenOn(listener, socket);
        }),
      );
      const failed = results.find((result) => result.status === "rejected");
      if (failed) {
        stopAccepting(begun);
        throw failed.reason;
      }
    },

    stopAccepting: () => stopAccepting(),
    isBusy: () => connections.size > 0,

    async drain(deadline) {
      draining = true;
      for (const response of [...responses.values()].flat()) leaveAfter(response);
      if (listeners.size > 0) await acceptQueued();
      stopAccepting();
      const end = performance.now() + deadline;
      while (connections.size > 0 && performance.now() < end) {
        // After a blocked loop timers come first, then the reading of requests, then immediates: only those may call a
        // connection idle.
        await sleep(50);
        await turn();
        await closeIdle();
      }
      for (const connection of connections) connection.destroy();
    },
  };
}

// --- internal ---

interface Answer {
  readonly response: ServerResponse;
  /** How many bytes its client had sent when the request was read. */
  readonly read: number;
}

/** Milliseconds. */
const MOMENT = 100;

function hold<T extends EventEmitter>(set: Set<T>, item: T, ended: () => void): void {
  set.add(item);
  item.once("close", () => {
    set.delete(item);
    ended();
  });
}

/** What net.Server does with a connection that it has accepted. */
function receive(server: Server & { allowHalfOpen?: boolean; noDelay?: boolean }, fd: number): void {
  const socket = new Socket({ fd, allowHalfOpen: server.allowHalfOpen ?? false });
  Object.assign(socket, { server });
  // An HTTP server begins to watch its connections (headersTimeout, closeIdleConnections) when it listens, which it never
  // does here. The event itself would mislead the program: there is no address().
  server
    .listeners("listening")
    .find(({ name }) => name === "setupConnectionsTracking")
    ?.call(server);
  if (server.noDelay) socket.setNoDelay(true);
  server.emit("connection", socket);
}

/** Accepts with the server's own options, which Node keeps as its properties, this one in seconds. */
function forwarderTo(server: Server & { readonly keepAliveInitialDelay?: number; _connections?: number }): Server {
  const forwarder = new Server({ ...server, keepAliveInitialDelay: server.keepAliveInitialDelay! * 1000 });
  // Node counts with these: the server's close is to wait for what was forwarded, and its limit is for all.
  Object.defineProperties(forwarder, {
    _connections: {
      get: () => server._connections,
      set: (count: number) => {
        server._connections = count;
      },
    },
    maxConnections: { get: () => server.maxConnections },
  });
  forwarder.on("connection", (socket: Socket) => {
    Object.assign(socket, { server, _server: server });
    server.emit("connection", socket);
  });
  forwarder.on("drop", (dropped) => server.emit("drop", dropped));
  // A failed accept. While the listening starts, errors are heard there.
  forwarder.on("error", (error) => forwarder.listening && server.emit("error", error));
  return forwarder;
}
