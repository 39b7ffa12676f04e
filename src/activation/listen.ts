/** Makes one net.Server listen on one socket, and says clearly when it cannot. */
import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { ActivationError } from "./error.ts";
import { bindArguments, describeSocket, type OwnedSocket } from "./passed-socket.ts";

/**
 * Resolves when `server` listens on `socket`. A unix path that a dead process left behind is removed first.
 * @throws {ActivationError} address-in-use, permission-denied, path-not-a-socket, listen-failed
 */
export async function listenOn(server: Server, socket: OwnedSocket): Promise<void> {
  try {
    await listenOnce(server, socket);
  } catch (error) {
    if (!(await removeStale(socket, error as NodeJS.ErrnoException))) throw explain(socket, error as Error);
    await listenOnce(server, socket).catch((again) => Promise.reject(explain(socket, again)));
  }
}

// --- internal ---

function listenOnce(server: Server, socket: OwnedSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      server.off("listening", settle).off("error", settle).off("close", closed);
      if (error) reject(error);
      else resolve();
    };
    const closed = () => settle(new Error("the server was closed"));
    server.on("listening", settle).on("error", settle).on("close", closed);
    try {
      server.listen(...bindArguments(socket));
    } catch (error) {
      settle(error as Error);
    }
  });
}

/** Only a socket that refuses connections is stale; nothing else is ever deleted. */
async function removeStale({ fd, address }: OwnedSocket, error: NodeJS.ErrnoException): Promise<boolean> {
  if (fd !== undefined || address?.type !== "unix" || error.code !== "EADDRINUSE") return false;
  const stats = lstatSync(address.path, { throwIfNoEntry: false });
  if (stats && !stats.isSocket()) {
    throw new ActivationError(
      "path-not-a-socket",
      `"${address.path}" exists and is no socket`,
      "Choose another path, or move that file away",
    );
  }
  if (!(await refuses(address.path))) return false;
  unlinkSync(address.path);
  return true;
}

function refuses(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

function explain(socket: OwnedSocket, cause: NodeJS.ErrnoException): ActivationError {
  if (cause instanceof ActivationError) return cause;
  const what = `cannot listen on ${describeSocket(socket)}`;
  const port = socket.address?.type === "tcp" ? socket.address.port : undefined;
  if (cause.code === "EADDRINUSE") {
    const finder =
      port === undefined ? `ss -lxp src ${(socket.address as { path: string }).path}` : `ss -ltnp sport = :${port}`;
    return new ActivationError(
      "address-in-use",
      `${what}: another process listens there`,
      `Stop it (\`${finder}\` shows which it is), or give the fallback "${socket.name}" another address`,
      { cause },
    );
  }
  if (cause.code === "EACCES" || cause.code === "EPERM") {
    const mend =
      port === undefined
        ? "Choose a path in a directory that this user may write to"
        : `Give the fallback "${socket.name}" a port from 1024 on, or let systemd bind it and pass it`;
    return new ActivationError("permission-denied", `${what}: this user may not (${cause.code})`, mend, { cause });
  }
  const mend =
    socket.fd === undefined
      ? `Give the fallback "${socket.name}" an address that this machine has`
      : "Pass a listening stream socket that nothing else in this process uses";
  return new ActivationError("listen-failed", `${what}: ${cause.message}`, mend, { cause });
}
