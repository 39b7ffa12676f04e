/** Makes one net.Server listen on one socket, and says clearly when it cannot. */
import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { ActivationError } from "./error.ts";
import { bindArguments, describe, type OwnedSocket } from "./passed-socket.ts";

/**
 * Resolves when `server` listens on `socket`. A unix path that a dead process left behind is removed first.
 * @throws {ActivationError} address-in-use, permission-denied, path-not-a-socket, listen-failed
 */
export async function listenOn(server: Server, socket: OwnedSocket): Promise<void> {
  try {
    await listenOnce(server, socket).catch(async (error) => {
      const { fd, address } = socket;
      if (fd !== undefined || address!.type !== "unix" || error.code !== "EADDRINUSE") throw error;
      if (!(await isStale(address!.path))) throw error;
      unlinkSync(address!.path);
      await listenOnce(server, socket);
    });
  } catch (error) {
    throw explain(socket, error as Error);
  }
}

// --- internal ---

/** Node tells of success and failure in a later tick, so that listening for it may come after. */
async function listenOnce(server: Server, socket: OwnedSocket): Promise<void> {
  server.listen(...bindArguments(socket));
  await once(server, "listening");
}

/** Only a socket that refuses connections is: nothing else is ever deleted. */
async function isStale(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) {
    throw new ActivationError("path-not-a-socket", `"${path}" exists and is no socket`, "Choose another path");
  }
  return await new Promise((resolve) => {
    const probe = connect(path, () => resolve(!probe.destroy()));
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

function explain(socket: OwnedSocket, cause: NodeJS.ErrnoException): ActivationError {
  if (cause instanceof ActivationError) return cause;
  const [code, mend] = EXPLANATIONS[cause.code ?? ""] ?? ["listen-failed", "Give another address"];
  return new ActivationError(code, `cannot listen on ${describe(socket)}: ${cause.message}`, mend, cause);
}

const EXPLANATIONS: Readonly<Record<string, readonly [ActivationError["code"], string]>> = {
  EADDRINUSE: ["address-in-use", "Stop what listens there (`ss -lp` shows it), or give another address"],
  EACCES: ["permission-denied", "Give a port from 1024 on, or a path where this user may write"],
};
