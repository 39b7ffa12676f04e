/** Makes one net.Server listen on one socket, and says clearly when it cannot. */
import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { ActivationError } from "./error.ts";
import { bindArguments, describe, type OwnedSocket } from "./passed-socket.ts";

/**
 * Resolves when `server` listens on `socket`. A unix path that a dead process left behind is removed first.
 * @throws {ActivationError} address-in-use, permission-denied, listen-failed
 */
export async function listenOn(server: Server, socket: OwnedSocket): Promise<void> {
  try {
    await listenOnce(server, socket).catch(async (error) => {
      const { fd, address } = socket;
      const inUse = fd === undefined && error.code === "EADDRINUSE";
      if (!inUse || address?.type !== "unix" || !(await isStale(address.path))) throw error;
      unlinkSync(address.path);
      await listenOnce(server, socket);
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [ours, mend] = EXPLANATIONS[code ?? ""] ?? ["listen-failed", "Give another address"];
    throw new ActivationError(ours, `cannot listen on ${describe(socket)}: ${message}`, mend, error);
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
  if (!lstatSync(path).isSocket()) return false;
  return await new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(false);
    });
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

const EXPLANATIONS: Readonly<Record<string, readonly [ActivationError["code"], string]>> = {
  EADDRINUSE: ["address-in-use", "Free it (`ss -lp` shows who listens), or give another address"],
  EACCES: ["permission-denied", "Give a port from 1024 on, or a path where this user may write"],
};
