/** Says what an inherited descriptor is, without disturbing it: a failed listen would close it. */
import { fstatSync, readlinkSync, type Stats } from "node:fs";
import type { Address } from "./address.ts";
import { ActivationError } from "./error.ts";
import { peerName, type SocketOption, socketName, socketOption } from "./ffi.ts";
import { findInTables } from "./socket-table.ts";

/** What fstat(2) tells: a socket, a named or anonymous pipe, or anything else (a file of OpenFile=, a memfd of the store). */
export type DescriptorKind = "socket" | "fifo" | "file";

export interface SocketFacts {
  /** Undefined: a kind that Node cannot serve (SOCK_SEQPACKET, SOCK_RAW, a unix datagram socket), told by `kind`. */
  readonly type: "stream" | "datagram" | undefined;
  readonly family: "ipv4" | "ipv6" | "unix" | undefined;
  readonly role: "listener" | "connection" | undefined;
  readonly address: Address | undefined;
  /** Of a connection, the other end. */
  readonly peer: Address | undefined;
  /** Most connections that its queue holds, where the kernel tells. */
  readonly backlog: number | undefined;
  /** For messages, for example "a unix datagram socket". */
  readonly kind: string;
}

/** Whatever stands between does not hand descriptors on. */
export const START_DIRECTLY =
  "npm run, node --run and node --watch pass no descriptors on: start node itself, or with exec in a shell script";

/** By fstat(2) alone, which costs nothing; undefined where nothing is open under that number. */
export function descriptorKind(fd: number): DescriptorKind | undefined {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch {
    return undefined; // EBADF
  }
  return stats.isSocket() ? "socket" : stats.isFIFO() ? "fifo" : "file";
}

/**
 * Whether Node has opened this descriptor for its own event loop: then what was passed under that number has been lost
 * before Node started (process.execve closes it, and keeps the pid), since Node takes the lowest free numbers.
 */
export function isNodesOwn(fd: number): boolean {
  try {
    return /^anon_inode:\[(eventpoll|io_uring)\]$/.test(readlinkSync(`/proc/self/fd/${fd}`));
  } catch {
    return false; // No Linux.
  }
}

/**
 * getsockopt(2), getsockname(2) and getpeername(2) of a socket; without node:ffi, what the kernel's tables say. Undefined
 * where neither knows it: then the program is believed when it says how it wants to use the socket.
 */
export function readSocket(fd: number): SocketFacts | undefined {
  const number = socketOption(fd, names.SO_TYPE)?.[0];
  if (number === undefined) return typeof ROUSE_HAS_FFI === "undefined" ? findInTables(fd) : undefined;
  const bytes = socketName(fd);
  const familyNumber = bytes && (isDarwin ? bytes[1]! : bytes[0]! + bytes[1]! * 256);
  const family = familyNumber === undefined ? undefined : names.families[familyNumber];
  const type = TYPES[number];
  const servable = family && (type === "stream" || (type === "datagram" && family !== "unix"));
  const listens = type === "stream" && socketOption(fd, names.SO_ACCEPTCONN)?.[0] !== 0;
  const other = listens ? undefined : peerName(fd);
  const role = listens ? "listener" : other ? "connection" : type === "datagram" ? "listener" : undefined;
  return {
    type: servable ? type : undefined,
    family,
    role,
    address: bytes && readAddress(type, family, bytes),
    peer: other && readAddress(type, family, other),
    // tcp(7): of a listening socket tcpi_sacked, the eighth word, is the most that its queue holds (sk_max_ack_backlog).
    backlog: listens && !isDarwin ? socketOption(fd, TCP_INFO, 8)?.[7] : undefined,
    kind: `${family === "unix" ? "a" : "an"} ${family ?? `AF_${familyNumber}`} ${type ?? (number === SOCK_SEQPACKET ? "seqpacket" : `type ${number}`)} socket`,
  };
}

/** @throws {ActivationError} lost-descriptor */
export function lostDescriptor(fd: number, name: string, cause: string): ActivationError {
  return new ActivationError("lost-descriptor", `descriptor ${fd} ("${name}") is ${cause}`, START_DIRECTLY);
}

// --- internal ---

const isDarwin = process.platform === "darwin";
const TYPES: Readonly<Record<number, "stream" | "datagram">> = { 1: "stream", 2: "datagram" };
const SOCK_SEQPACKET = 5;
/** Of IPPROTO_TCP (netinet/tcp.h), Linux only. */
const TCP_INFO: SocketOption = [6, 11];

// macOS: sys/socket.h. Linux: asm-generic/socket.h.
const names: {
  readonly SO_TYPE: SocketOption;
  readonly SO_ACCEPTCONN: SocketOption;
  readonly families: Readonly<Record<number, "unix" | "ipv4" | "ipv6">>;
} = isDarwin
  ? {
      SO_TYPE: [0xffff, 0x1008],
      SO_ACCEPTCONN: [0xffff, 2],
      families: { 1: "unix", 2: "ipv4", 30: "ipv6" },
    }
  : { SO_TYPE: [1, 3], SO_ACCEPTCONN: [1, 30], families: { 1: "unix", 2: "ipv4", 10: "ipv6" } };

/** The first 12 bytes of ::ffff:0:0/96. */
const MAPPED = "00000000000000000000ffff";

/** From a sockaddr_un, sockaddr_in or sockaddr_in6: the two bytes before differ between the systems, what follows does not. */
function readAddress(
  type: "stream" | "datagram" | undefined,
  family: "unix" | "ipv4" | "ipv6" | undefined,
  bytes: Buffer,
): Address | undefined {
  if (family === undefined) return undefined;
  if (family === "unix") {
    // unix(7): a path ends at its NUL; an abstract name starts with one, shown as "@"; there may be none at all.
    const path = bytes.toString("utf8", 2).replace(/^\0/, "@").split("\0")[0]!;
    return path === "" || path === "@" ? undefined : { type: "unix", path };
  }
  const scheme = type === "datagram" ? "udp" : "tcp";
  const port = bytes.readUInt16BE(2);
  if (family === "ipv4") return { type: scheme, host: bytes.subarray(4, 8).join("."), port };
  const digits = bytes.toString("hex", 8, 24);
  // An IPv4 client of an IPv6 socket, which Node writes like this.
  if (digits.startsWith(MAPPED)) return { type: scheme, host: `::ffff:${bytes.subarray(20, 24).join(".")}`, port };
  // URL writes an IPv6 address in its short form.
  const groups = digits.replaceAll(/.{4}(?=.)/g, "$&:");
  return { type: scheme, host: new URL(`http://[${groups}]`).hostname.slice(1, -1), port };
}
