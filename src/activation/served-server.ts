/** One server of the program, every listener that feeds it, and what must end before the process may. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2Session } from "node:http2";
import { Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { listenOn } from "./listen.ts";
import type { OwnedSocket } from "./passed-socket.ts";

export class ServedServer {
  readonly #server: Server;
  readonly #listeners = new Set<Server>();
  readonly #connections = new Set<Socket>();
  /** HTTP/1 only. */
  readonly #responses = new Set<ServerResponse>();
  readonly #sessions = new Set<Http2Session>();
  #draining = false;
  #emptied: () => void = () => {};

  constructor(server: Server) {
    this.#server = server;
    server.prependListener("connection", (socket: Socket) => this.#hold(this.#connections, socket));
    // Listening for "request" is what switches an HTTP/2 server to its compatibility layer: not ours to do.
    const speaksHttp2 = "updateSettings" in server;
    if (speaksHttp2) server.prependListener("session", (session: Http2Session) => this.#hold(this.#sessions, session));
    if (!speaksHttp2 || server.listenerCount("request") > 0) server.prependListener("request", this.#onRequest);
    // Where the program closes its server by itself, as frameworks do, the other listeners must not go on.
    server.once("close", () => this.#stopAccepting());
  }

  /** Listens on each: the first on the server itself, the others through listeners that forward their connections to it. */
  async listen(sockets: readonly OwnedSocket[]): Promise<void> {
    const results = await Promise.allSettled(
      sockets.map((socket, index) => {
        const listener = index === 0 && !this.#server.listening ? this.#server : forwarderTo(this.#server);
        this.#listeners.add(listener);
        return listenOn(listener, socket);
      }),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (!failed) return;
    this.#stopAccepting();
    throw failed.reason;
  }

  /**
   * Stops accepting, answers what was received, and resolves when every connection has ended. What is left after
   * `deadline` milliseconds, or when `hurry` aborts, is destroyed. Rejects never.
   *
   * http.Server.close() is not used: it resets connections whose next request waits in the kernel's buffer.
   */
  async drain(deadline: number, hurry: AbortSignal): Promise<void> {
    this.#draining = true;
    for (const response of this.#responses) sayClose(response);
    // One turn of the event loop: what the kernel has already queued is accepted. A closed listener of our own would reset it.
    await turn();
    this.#stopAccepting();
    if (this.#connections.size === 0) return;
    await this.#emptyOr(deadline, hurry);
    for (const session of this.#sessions) session.destroy();
    for (const connection of this.#connections) connection.destroy();
  }

  async #emptyOr(deadline: number, hurry: AbortSignal): Promise<void> {
    // Repeated, because connections become idle one after the other. After a blocked loop timers come first, then the reading
    // of requests, then immediates: only those may call a connection idle.
    const sweep = setInterval(() => setImmediate(() => this.#closeIdle()), 100);
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
      timer = setTimeout(resolve, deadline);
      hurry.addEventListener("abort", () => resolve());
      if (hurry.aborted) resolve();
    });
    clearInterval(sweep);
    clearTimeout(timer);
  }

  #stopAccepting(): void {
    for (const listener of this.#listeners) Server.prototype.close.call(listener);
    this.#listeners.clear();
  }

  #closeIdle(): void {
    for (const session of this.#sessions) session.close();
    // Node takes a response that was ended but is not yet sent for idle, and would cut it off.
    const sending = [...this.#responses].some((response) => response.writableEnded && !response.writableFinished);
    const { closeIdleConnections } = this.#server as { closeIdleConnections?: () => void };
    if (!sending) closeIdleConnections?.call(this.#server);
  }

  #hold<T extends Socket | Http2Session | ServerResponse>(set: Set<T>, item: T): void {
    set.add(item);
    item.once("close", () => {
      set.delete(item);
      if (this.#connections.size === 0) this.#emptied();
    });
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.httpVersionMajor > 1) return;
    this.#hold(this.#responses, response);
    if (this.#draining) sayClose(response);
  };
}

// --- internal ---

/** Tells a keep-alive client that its next request needs another connection. */
function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("Connection", "close");
}

/** Accepts with the server's own options, which Node keeps as properties of it. */
function forwarderTo(server: Server): Server {
  const { allowHalfOpen, pauseOnConnect, noDelay, keepAlive, keepAliveInitialDelay } = server as Server & AcceptOptions;
  const forwarder = new Server({
    allowHalfOpen,
    pauseOnConnect,
    noDelay,
    keepAlive,
    keepAliveInitialDelay: keepAliveInitialDelay * 1000,
  });
  forwarder.on("connection", (socket: Socket & { server?: Server }) => {
    socket.server = server;
    server.emit("connection", socket);
  });
  // Only failed accepts come here; while listening starts, its own handler hears of errors first.
  forwarder.on("error", (error) => server.listening && server.emit("error", error));
  return forwarder;
}

/** `keepAliveInitialDelay` in seconds here, in milliseconds as an option. */
interface AcceptOptions {
  readonly allowHalfOpen: boolean;
  readonly pauseOnConnect: boolean;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelay: number;
}
