import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** Whoever hears what the processes of a unit write. */
export interface OutputListener {
  /** What it gives is waited for before more is read: who prints a lot waits for a slow terminal, as it would itself. */
  chunk(stream: "stdout" | "stderr", chunk: Buffer): Promise<unknown> | undefined;
  /** What a helper of it says: one line, as words. */
  said(words: readonly string[]): void;
}

/**
 * What a unit and its helpers write, received on unix sockets. A FIFO would make systemd wait for a reader when the launcher has gone,
 * a file would grow, and a journal need not be there; to the program it is a stream socket, as the journal's is.
 */
export class UnitOutput implements AsyncDisposable {
  readonly #servers: readonly Server[];
  readonly #connections = new Set<Socket>();

  private constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  static async listen(
    paths: { readonly stdout: string; readonly stderr: string; readonly said: string },
    listener: OutputListener,
  ): Promise<UnitOutput> {
    const servers = { stdout: createServer(), stderr: createServer(), said: createServer() };
    const output = new UnitOutput(Object.values(servers));
    for (const stream of ["stdout", "stderr"] as const) {
      servers[stream].on("connection", (socket) => {
        output.#keep(socket);
        socket.on("data", (chunk: Buffer) => {
          const written = listener.chunk(stream, chunk);
          if (!written) return;
          socket.pause();
          written.then(
            () => socket.resume(),
            () => socket.resume(),
          );
        });
      });
    }
    servers.said.on("connection", async (socket) => {
      socket.on("error", () => {});
      listener.said((await text(socket).catch(() => "")).trim().split(" "));
    });
    for (const [name, server] of Object.entries(servers)) {
      server.listen(paths[name as keyof typeof paths]);
      await once(server, "listening");
    }
    return output;
  }

  /** Resolves when every process of the unit has closed its output; a process of the program that stays holds it up for a moment only. */
  async drained(): Promise<void> {
    const end = performance.now() + 500;
    do await sleep(5);
    while (this.#connections.size > 0 && performance.now() < end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #keep(socket: Socket): void {
    this.#connections.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#connections.delete(socket));
  }
}
