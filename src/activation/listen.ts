/** Makes one net.Server or dgram.Socket listen on one socket, and says clearly when it cannot. */
import type { Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { ActivationError } from "./error.ts";
import { bindOptions, describe, listenArguments, listenError, type OwnedSocket } from "./passed-socket.ts";

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
    throw listenError(socket, error as NodeJS.ErrnoException);
  }
}

/**
 * Resolves when `datagrams` receives from `socket`.
 * @throws {ActivationError} wrong-kind where it is of the other IP version; unsupported-socket; address-in-use, permission-denied, listen-failed
 */
export async function bindTo(datagrams: DatagramSocket, socket: OwnedSocket): Promise<void> {
  const { type } = datagrams as DatagramSocket & { readonly type?: "udp4" | "udp6" };
  // Node itself would take it, and then fail at each answer. An address of our own is bound as the program's socket is.
  const other = { udp4: "ipv6", udp6: "ipv4" } as const;
  if (socket.fd !== undefined && type && socket.family === other[type]) {
    const [right, hint] = type === "udp4" ? ["udp6", ", which takes IPv4 as well"] : ["udp4", ""];
    throw new ActivationError(
      "wrong-kind",
      `${describe(socket)} is ${socket.kind}, and the program's is a ${type} socket`,
      `Use dgram.createSocket("${right}")${hint}`,
    );
  }
  // Node tells of an address of our own in a later tick, of a descriptor at once.
  const listening = once(datagrams, "listening");
  listening.catch(() => {});
  try {
    datagrams.bind(bindOptions(socket, type));
    await listening;
  } catch (error) {
    throw listenError(socket, error as NodeJS.ErrnoException);
  }
}

// --- internal ---

/** Node tells of success and failure in a later tick, so that listening for it may come after. */
async function listenOnce(server: Server, socket: OwnedSocket): Promise<void> {
  server.listen(...listenArguments(socket));
  await once(server, "listening");
}

/** Only a socket that refuses connections is: nothing else is ever deleted. */
export async function isStale(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) return false;
  return await new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(false);
    });
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
