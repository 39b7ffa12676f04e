import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface SlowNetwork extends AsyncDisposable {
  /** Where clients connect, on 127.0.0.1. */
  readonly port: number;
  /** Resolves when the server has sent something. */
  answered(): Promise<void>;
  /** From now on nothing reaches the client. Resolves when the server has sent something. */
  holdBack(): Promise<void>;
  /** Resolves when the client has sent something. */
  passed(): Promise<void>;
  /** What was held back reaches the client, and all that comes. */
  release(): void;
}

/** A way to a server for one client, on which everything takes `latency` milliseconds in each direction. */
export async function slowNetwork(target: { port: number } | { path: string }, latency = 0): Promise<SlowNetwork> {
  let held: (() => void)[] | undefined;
  let client: Socket | undefined;
  let server: Socket | undefined;
  const later = (work: () => void) => (latency > 0 ? setTimeout(work, latency) : work());
  const toClient = (work: () => void) => later(() => (held ? held.push(work) : work()));
  const proxy = createServer({ allowHalfOpen: true }, (socket) => {
    client = socket;
    server = connect({ allowHalfOpen: true, ...target });
    socket.on("data", (data) => later(() => server!.write(data))).on("end", () => later(() => server!.end()));
    server.on("data", (data) => toClient(() => socket.write(data))).on("end", () => toClient(() => socket.end()));
    // What one side has lost, the other hears of.
    socket.on("error", () => later(() => server!.destroy()));
    server.on("error", () => toClient(() => socket.resetAndDestroy()));
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    port: (proxy.address() as AddressInfo).port,
    async answered() {
      if (!server) await once(proxy, "connection");
      await once(server!, "data");
    },
    async holdBack() {
      held = [];
      await once(server!, "data");
    },
    async passed() {
      await once(client!, "data");
    },
    release() {
      for (const work of held ?? []) work();
      held = undefined;
    },
    async [Symbol.asyncDispose]() {
      client?.destroy();
      server?.destroy();
      proxy.close();
    },
  };
}
