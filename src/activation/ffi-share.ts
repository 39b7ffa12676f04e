/**
 * The foreign functions that let workers share a socket that nobody has passed: one process binds it, and hands it to others
 * over a pair of unix sockets. Without node:ffi each answers undefined.
 */
import { closeSync } from "node:fs";
import { isIPv4 } from "node:net";
import { constants } from "node:os";
import type { Address } from "./address.ts";
import { exchangeMessage, foreign, isDarwin, RIGHTS, rightsTo, SOL_SOCKET } from "./ffi.ts";

/** Why a call failed, as in errno(3). */
export interface Failed {
  readonly errno: number;
}

/** socketpair(2): two connected unix stream sockets, both blocking. Not handed to children by themselves. */
export function openPair(): [one: number, other: number] | undefined {
  const ends = new Int32Array(2);
  const socketpair = foreign("socketpair", ["i32", "i32", "i32", "pointer"], "i32");
  return socketpair?.(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) === 0 ? [ends[0]!, ends[1]!] : undefined;
}

/**
 * socket(2), bind(2) and, for all but UDP, listen(2), with the options that libuv sets. A host that is left out is every
 * address, as in Node: those of IPv4 where the system has no IPv6.
 */
export function bindSocket(address: Address, backlog: number): { readonly fd: number } | Failed {
  if (address.type === "unix" || address.host !== undefined) return bindOne(address, backlog);
  const result = bindOne({ ...address, host: "::" }, backlog);
  return "errno" in result && isWithoutIpv6(result.errno) ? bindOne({ ...address, host: "0.0.0.0" }, backlog) : result;
}

/** Sends a message through a unix socket, with a descriptor beside it (SCM_RIGHTS, unix(7)). */
export function sendDescriptor(to: number, message: string, fd: number | undefined): void {
  exchangeMessage("sendmsg", to, Buffer.from(message), fd === undefined ? undefined : rightsTo([fd]), 0);
}

/** Waits for such a message, of at most 4096 bytes. An empty one is the end of the connection. */
export function receiveDescriptor(from: number): { readonly message: string; readonly fd: number | undefined } {
  const [bytes, rights] = [Buffer.alloc(4096), rightsTo([-1])];
  const length = exchangeMessage("recvmsg", from, bytes, rights, MSG_CMSG_CLOEXEC);
  const fd = rights.readInt32LE(RIGHTS);
  return { message: bytes.toString("utf8", 0, Math.max(0, length)), fd: fd < 0 ? undefined : fd };
}

// --- internal ---

// Linux: asm-generic/socket.h, linux/in6.h. macOS: sys/socket.h, netinet6/in6.h.
const AF_UNIX = 1;
const AF_INET = 2;
export const AF_INET6: number = isDarwin ? 30 : 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
/** macOS has no such flag; libuv's children there get only what they are given. */
export const SOCK_CLOEXEC: number = isDarwin ? 0 : 0o2000000;
const MSG_CMSG_CLOEXEC = isDarwin ? 0 : 0x40000000;
export const SO_REUSEADDR: number = isDarwin ? 4 : 2;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY: number = isDarwin ? 27 : 26;

const BIND = ["i32", "pointer", "u32"] as const;

export function isWithoutIpv6(errno: number): boolean {
  const { EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL } = constants.errno;
  return [EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL].includes(errno as typeof EINVAL);
}

function bindOne(address: Address, backlog: number): { readonly fd: number } | Failed {
  // errno(3): where it lies is asked before the calls that may fail, because looking a function up sets it, too.
  const { getInt32 } = process.getBuiltinModule("node:ffi");
  const place = foreign(isDarwin ? "__error" : "__errno_location", [], "pointer")!();
  const name = socketAddress(address);
  const type = address.type === "udp" ? SOCK_DGRAM : SOCK_STREAM;
  const fd = foreign("socket", ["i32", "i32", "i32"], "i32")!(family(address), type | SOCK_CLOEXEC, 0);
  if (fd < 0) return { errno: getInt32(place, 0) };
  const option = (level: number, number: number, value: number) =>
    foreign("setsockopt", ["i32", "i32", "i32", "pointer", "u32"], "i32")!(
      fd,
      level,
      number,
      new Int32Array([value]),
      4,
    );
  // With UDP it would let two programs have the same port.
  if (address.type === "tcp") option(SOL_SOCKET, SO_REUSEADDR, 1);
  if (family(address) === AF_INET6) option(IPPROTO_IPV6, IPV6_V6ONLY, 0);
  const bound = foreign("bind", BIND, "i32")!(fd, name, name.length) === 0;
  if (bound && (type === SOCK_DGRAM || foreign("listen", ["i32", "i32"], "i32")!(fd, backlog) === 0)) return { fd };
  const failed = { errno: getInt32(place, 0) };
  closeSync(fd);
  return failed;
}

export function family(address: Address): number {
  if (address.type === "unix") return AF_UNIX;
  return isIPv4(address.host ?? "") ? AF_INET : AF_INET6;
}

/** A sockaddr_un, sockaddr_in or sockaddr_in6. macOS has the length in the first byte, Linux a family of two. */
export function socketAddress(address: Address): Buffer {
  const bytes = Buffer.alloc(
    address.type === "unix" ? 2 + Buffer.byteLength(address.path) + 1 : family(address) === AF_INET ? 16 : 28,
  );
  bytes.set(isDarwin ? [bytes.length, family(address)] : [family(address), 0]);
  if (address.type === "unix") bytes.write(address.path, 2);
  else {
    bytes.writeUInt16BE(address.port, 2);
    const { host = "::" } = address;
    if (isIPv4(host)) bytes.set(host.split(".").map(Number), 4);
    else bytes.set(ipv6Bytes(host), 8);
  }
  return bytes;
}

/** URL gives the short form, without a dotted part; what it leaves out as "::" is zeros. */
function ipv6Bytes(host: string): Buffer {
  const [head = "", tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string | undefined) => (text ? text.split(":").map((group) => group.padStart(4, "0")) : []);
  const [before, after] = [groups(head), groups(tail)];
  const between = Array<string>(8 - before.length - after.length).fill("0000");
  return Buffer.from([...before, ...between, ...after].join(""), "hex");
}
