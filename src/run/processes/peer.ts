import { networkInterfaces } from "node:os";
import { readSocket } from "../../activation/descriptor.ts";
import { isDarwin, peerName, SOL_SOCKET, socketOption } from "../../activation/ffi.ts";

/** The client of a connection. */
export interface Peer {
  readonly shown: string;
  /** What MaxConnectionsPerSource= counts by. */
  readonly source: string;
  readonly remote: { readonly address: string; readonly port?: number } | undefined;
}

/** Undefined where the client is gone already: that is a connection for nobody, to systemd too. */
export function peerOf(fd: number): Peer | undefined {
  const facts = readSocket(fd);
  const address = facts?.peer;
  if (!address && facts && facts.family !== "unix") return undefined;
  if (!address) return { shown: "a local client", source: userOf(fd), remote: undefined };
  if (address.type === "unix") return { shown: address.path, source: userOf(fd), remote: { address: address.path } };
  const { port } = address;
  // A listener for IPv6 takes connections of both.
  const host = (address.host ?? "").replace(/^::ffff:(?=\d+\.)/, "") + zoneOf(fd, facts?.family);
  return { shown: `${host.includes(":") ? `[${host}]` : host}:${port}`, source: host, remote: { address: host, port } };
}

// --- internal ---

/** "%eth0" of a link-local IPv6 address (sin6_scope_id), without which nobody can answer there. */
function zoneOf(fd: number, family: string | undefined): string {
  const index = family === "ipv6" ? (peerName(fd)?.readUInt32LE(24) ?? 0) : 0;
  if (index === 0) return "";
  const all = Object.entries(networkInterfaces());
  const [name] = all.find(([, addresses]) => addresses?.some(({ scopeid }) => scopeid === index)) ?? [String(index)];
  return `%${name}`;
}

/** Of a local client (unix(7), SO_PEERCRED), which systemd counts by since version 255; all are one where it cannot be known. */
function userOf(fd: number): string {
  return `user ${isDarwin ? "" : (socketOption(fd, SO_PEERCRED, 3)?.[1] ?? "")}`;
}

const SO_PEERCRED = [SOL_SOCKET, 17] as const;
