/** One process per connection, as inetd (nowait) and systemd (Accept=yes) start them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { spawnActivated } from "./passed-socket.ts";

/** Where the program finds its connection: on descriptor 0, or by LISTEN_FDS under the name "connection". */
export type ConnectionPlace = "standard input" | "LISTEN_FDS";

export interface PerConnection extends AsyncDisposable {
  /** A free one of 127.0.0.1; 0 where it listens on a path. */
  readonly port: number;
}

/** Starts the command for each connection; `started` gets the child, whose stdout and stderr are pipes. Listens on `path`, else on 127.0.0.1. */
export async function serveEachConnection(
  [command, ...args]: readonly [string, ...string[]],
  place: ConnectionPlace,
  started: (child: ChildProcess) => void,
  path?: string,
): Promise<PerConnection> {
  // Node must not read what is the program's to read.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const { fd } = (socket as Socket & { readonly _handle: { readonly fd: number } })._handle;
    const env = { ...process.env, REMOTE_ADDR: socket.remoteAddress, REMOTE_PORT: socket.remotePort?.toString() };
    const child =
      place === "LISTEN_FDS"
        ? spawnActivated(command, args, { sockets: { connection: { fd } }, env })
        : spawn(command, args, { env: process.env, stdio: [fd, "pipe", "pipe"] });
    // Closes only our copy.
    socket.destroy();
    started(child);
  });
  server.listen(path === undefined ? { port: 0, host: "127.0.0.1" } : { path });
  await once(server, "listening");
  return {
    port: path === undefined ? (server.address() as AddressInfo).port : 0,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}
