/** The system calls that make a listening socket. Linux's and macOS's numbers; those of macOS are from its headers, and unproven. */
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { foreign, isDarwin, SOL_SOCKET, socketName } from "../../../activation/ffi.ts";
import {
  AF_INET6,
  type Failed,
  family,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  socketAddress,
} from "../../../activation/ffi-share.ts";
import type { Address } from "../../../service.ts";

export interface ListenerOptions {
  /** Undefined: as many as the system allows, which is systemd's default too. */
  readonly backlog: number | undefined;
  readonly noDelay: boolean;
  /** IP_FREEBIND. Linux only. */
  readonly freeBind: boolean;
  /** Permission bits of a unix socket: its file never has more. Undefined: as the umask has it. */
  readonly mode?: number | undefined;
  /** Called while nobody can connect yet. */
  readonly beforeListen?: () => void;
}

/**
 * socket(2), bind(2) and, for all but UDP, listen(2). The descriptor blocks, and is closed on exec. A host that is "::" takes
 * IPv4 as well, as under systemd (BindIPv6Only=default); an address of the other kinds is taken as it is.
 */
export function makeListener(address: Address, options: ListenerOptions): { readonly fd: number } | Failed {
  const { setsockopt, bind, listen, socket, errno } = calls();
  const name = nameOf(address);
  if (!name) return { errno: ENODEV };
  const type = address.type === "udp" ? SOCK_DGRAM : SOCK_STREAM;
  const fd = socket(family(plain(address)), type | SOCK_CLOEXEC, 0);
  if (fd < 0) return { errno: errno() };
  if (isDarwin) foreign("ioctl", ["i32", "u64"], "i32")!(fd, FIOCLEX);
  const option = (level: number, number: number, value: number): number =>
    setsockopt(fd, level, number, new Int32Array([value]), 4);
  const isIpv6 = address.type !== "unix" && family(plain(address)) === AF_INET6;
  // With UDP it would let two runs have the same port.
  if (address.type !== "udp") option(SOL_SOCKET, SO_REUSEADDR, 1);
  if (isIpv6) option(IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (options.freeBind && !isDarwin) {
    if (isIpv6) option(IPPROTO_IPV6, IPV6_FREEBIND, 1);
    else option(IPPROTO_IP, IP_FREEBIND, 1);
  }
  // Every connection that is accepted from it has it as well.
  if (options.noDelay && address.type === "tcp") option(IPPROTO_TCP, TCP_NODELAY, 1);
  let failed = withMode(options.mode, () => (bind(fd, name, name.length) === 0 ? 0 : errno()));
  // As systemd and inetds pass it.
  if (address.type === "udp") option(SOL_SOCKET, SO_REUSEADDR, 1);
  if (failed === 0) options.beforeListen?.();
  if (failed === 0 && type !== SOCK_DGRAM) failed = listen(fd, options.backlog ?? MOST) === 0 ? 0 : errno();
  if (failed === 0) return { fd };
  closeSync(fd);
  return { errno: failed };
}

/** The port that a TCP or UDP socket has in truth. */
export function portOf(fd: number): number {
  return socketName(fd)!.readUInt16BE(2);
}

/** What somebody who connects to a unix path meets: an errno, or 0 where somebody listens, and who that is where it is known. */
export function tryUnixPath(path: string): { readonly errno: number; readonly pid: number | undefined } {
  const { socket, connect, errno } = calls();
  const name = socketAddress({ type: "unix", path });
  // A full queue would otherwise make it wait.
  const fd = socket(1, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return { errno: errno(), pid: undefined };
  const failed = connect(fd, name, name.length) === 0 ? 0 : errno();
  const pid = failed === 0 ? peerPid(fd) : undefined;
  closeSync(fd);
  return { errno: failed, pid };
}

// --- internal ---

const MOST = 0x7fffffff;
const { ENODEV } = constants.errno;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
// linux/in.h, linux/in6.h.
const IPPROTO_IP = 0;
const IP_FREEBIND = 15;
const IPV6_FREEBIND = 78;
const SOCK_NONBLOCK = isDarwin ? 0 : 0o4000;
const SO_PEERCRED = 17;
/** sys/filio.h of macOS, _IO('f', 1). */
const FIOCLEX = 0x20006601n;

function calls() {
  // errno(3): where it lies is asked before the calls that may fail, because looking a function up sets it, too.
  const place = foreign(isDarwin ? "__error" : "__errno_location", [], "pointer")!();
  const { getInt32 } = process.getBuiltinModule("node:ffi");
  return {
    socket: foreign("socket", ["i32", "i32", "i32"], "i32")!,
    bind: foreign("bind", ["i32", "pointer", "u32"], "i32")!,
    listen: foreign("listen", ["i32", "i32"], "i32")!,
    connect: foreign("connect", ["i32", "pointer", "u32"], "i32")!,
    setsockopt: foreign("setsockopt", ["i32", "i32", "i32", "pointer", "u32"], "i32")!,
    errno: (): number => getInt32(place, 0),
  };
}

/** Undefined where its IPv6 zone is not on this machine. */
function nameOf(address: Address): Buffer | undefined {
  const name = socketAddress(plain(address));
  const zone = address.type === "unix" ? undefined : address.host?.split("%")[1];
  if (zone === undefined) return name;
  const index = foreign("if_nametoindex", ["pointer"], "i32")!(Buffer.from(`${zone}\0`)) || Number(zone);
  if (!(index > 0)) return undefined;
  name.writeUInt32LE(index, 24); // sin6_scope_id, in the machine's byte order.
  return name;
}

/** Without its IPv6 zone. */
function plain(address: Address): Address {
  return address.type === "unix" ? address : { ...address, host: address.host?.split("%")[0] };
}

function withMode(mode: number | undefined, bind: () => number): number {
  if (mode === undefined) return bind();
  const before = process.umask(0o777 & ~mode);
  try {
    return bind();
  } finally {
    process.umask(before);
  }
}

/** Of who called listen(2). */
function peerPid(fd: number): number | undefined {
  if (isDarwin) return undefined;
  const credentials = new Int32Array(3);
  const getsockopt = foreign("getsockopt", ["i32", "i32", "i32", "pointer", "pointer"], "i32")!;
  const known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, new Uint32Array([12])) === 0;
  return known && credentials[0]! > 0 ? credentials[0] : undefined;
}
