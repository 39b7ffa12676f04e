/**
 * What the kernel's tables tell of a socket, found by its inode: /proc/self/net/tcp and its siblings (proc(5)), for a Node
 * without node:ffi. They show only what is in this process's own network namespace.
 */
import { fstatSync, readFileSync } from "node:fs";
import type { Address } from "./address.ts";
import type { SocketFacts } from "./descriptor.ts";

/** Undefined where the socket is in none of them. */
export function findInTables(fd: number): SocketFacts | undefined {
  const inode = String(fstatSync(fd).ino);
  for (const { table, scheme, family } of INTERNET) {
    for (const [, local = "", remote = "", state, , , , , , entry] of lines(table)) {
      if (entry !== inode) continue;
      const listens = scheme === "tcp" && state === LISTEN;
      const connected = !/:0000$/.test(remote);
      const type = scheme === "tcp" ? "stream" : "datagram";
      const role = connected ? "connection" : listens || scheme === "udp" ? "listener" : undefined;
      const peer = connected ? readEnd(scheme, remote) : undefined;
      return { type, family, role, address: readEnd(scheme, local), peer, ...unknown(`an ${family} ${type} socket`) };
    }
  }
  for (const [, , , flags = "", number, state, entry, path] of lines("unix")) {
    if (entry !== inode) continue;
    const isStream = number === "0001";
    const role =
      Number.parseInt(flags, 16) & SO_ACCEPTCON ? "listener" : state === CONNECTED ? "connection" : undefined;
    const address: Address | undefined = path ? { type: "unix", path } : undefined;
    const kind = isStream ? "a unix stream socket" : "a unix datagram or seqpacket socket";
    return { type: isStream ? "stream" : undefined, family: "unix", role, address, peer: undefined, ...unknown(kind) };
  }
  return undefined;
}

// --- internal ---

const INTERNET = [
  { table: "tcp", scheme: "tcp", family: "ipv4" },
  { table: "tcp6", scheme: "tcp", family: "ipv6" },
  { table: "udp", scheme: "udp", family: "ipv4" },
  { table: "udp6", scheme: "udp", family: "ipv6" },
] as const;

/** TCP_LISTEN (net/tcp_states.h). */
const LISTEN = "0A";
/** SS_CONNECTED and __SO_ACCEPTCON (linux/net.h). */
const CONNECTED = "03";
const SO_ACCEPTCON = 1 << 16;

/** The fields of each line of /proc/net/TABLE, its head too; none where it cannot be read. */
export function lines(table: string): string[][] {
  try {
    return readFileSync(`/proc/self/net/${table}`, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return []; // No Linux, or no IPv6.
  }
}

const unknown = (kind: string) => ({ backlog: undefined, kind });

/** ADDRESS:PORT, in hexadecimal: the address in words of the machine's byte order, x64's and arm64's. */
export function readEnd(type: "tcp" | "udp", text: string): Address {
  const [words = "", port = ""] = text.split(":");
  const bytes = words.replaceAll(/(..)(..)(..)(..)/g, "$4$3$2$1");
  const host =
    bytes.length === 8
      ? Buffer.from(bytes, "hex").join(".")
      : new URL(`http://[${bytes.replaceAll(/.{4}(?=.)/g, "$&:")}]`).hostname.slice(1, -1);
  return { type, host, port: Number.parseInt(port, 16) };
}
