/** The system calls that only the launcher needs, through node:ffi. What the runtime needs too is in ../activation/ffi.ts. */
import { closeSync, fstatSync } from "node:fs";
import { exchangeMessage, foreign, isDarwin, SOL_SOCKET } from "../../activation/ffi.ts";

/** poll(2): those of the descriptors that are readable. A listener is when a connection waits. @param timeout milliseconds, -1: for ever */
export function pollReadable(fds: readonly number[], timeout: number): Set<number> {
  // struct pollfd: int fd; short events; short revents.
  const table = new Int32Array(fds.flatMap((fd) => [fd, POLLIN]));
  const poll = foreign("poll", ["pointer", "u64", "i32"], "i32")!;
  if (poll(table, BigInt(fds.length), timeout) <= 0) return new Set();
  return new Set(fds.filter((_, index) => table[index * 2 + 1]! >>> 16));
}

/** poll(2): whether a few KiB can be written without waiting for a reader, or nobody will ever read. */
export function pollWritable(fd: number): boolean {
  return foreign("poll", ["pointer", "u64", "i32"], "i32")!(new Int32Array([fd, POLLOUT]), 1n, 0) !== 0;
}

/** poll(2): whether the other end of a pipe or connection has gone for good. Of a file never. */
export function hasHungUp(fd: number): boolean {
  const table = new Int32Array([fd, 0]);
  const count = foreign("poll", ["pointer", "u64", "i32"], "i32")!(table, 1n, 0);
  return count > 0 && ((table[1]! >>> 16) & (POLLERR | POLLHUP)) !== 0;
}

/**
 * kcmp(2): whether two descriptors are one open file, by dup(2) or by a passing on. Where the kernel does not tell, whether
 * they are the same file on disk or in memory.
 */
export function isSameFile(one: number, other: number): boolean {
  const number = KCMP[process.arch];
  if (!isDarwin && number !== undefined) {
    const syscall = foreign("syscall", ["i64", "i64", "i64", "i64", "i64", "i64"], "i64")!;
    const [kcmp, pid] = [BigInt(number), BigInt(process.pid)];
    const order = Number(syscall(kcmp, pid, pid, KCMP_FILE, BigInt(one), BigInt(other)));
    if (order >= 0) return order === 0;
  }
  const [first, second] = [fstatSync(one), fstatSync(other)];
  return first.dev === second.dev && first.ino === second.ino;
}

/** accept(2): the next connection, close-on-exec; undefined where there is none any more. Waits for none: see pollReadable. */
export function acceptConnection(listener: number): number | undefined {
  if (!pollReadable([listener], 0).has(listener)) return undefined;
  const fd = isDarwin
    ? foreign("accept", ["i32", "pointer", "pointer"], "i32")!(listener, null, null)
    : foreign("accept4", ["i32", "pointer", "pointer", "i32"], "i32")!(listener, null, null, SOCK_CLOEXEC);
  return fd < 0 ? undefined : fd;
}

/**
 * O_NONBLOCK, which every process that has the socket shares: set, accept(2) does not wait for a connection that is gone again;
 * not set, it is as systemd hands sockets over, whatever the process before has made of it.
 */
export function setNonBlocking(fd: number, isSet: boolean): void {
  // fcntl(2) takes its third argument as a variadic one, which on macOS is passed otherwise.
  if (isDarwin) return;
  const fcntl = foreign("fcntl", ["i32", "i32", "i32"], "i32")!;
  const flags = fcntl(fd, F_GETFL, 0);
  fcntl(fd, F_SETFL, isSet ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/** A bound unix datagram socket whose messages say who has sent them (unix(7), SO_PASSCRED). Linux only; undefined where it cannot be made. */
export function openCredentialSocket(path: string): number | undefined {
  const fd = foreign("socket", ["i32", "i32", "i32"], "i32")?.(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) ?? -1;
  if (fd < 0) return undefined;
  const address = Buffer.from(`\x01\0${path}\0`);
  const setsockopt = foreign("setsockopt", ["i32", "i32", "i32", "pointer", "u32"], "i32")!;
  setsockopt(fd, SOL_SOCKET, SO_PASSCRED, new Int32Array([1]), 4);
  // The folder in which it lies need not be this user's alone.
  const umask = process.umask(0o077);
  const isBound = foreign("bind", ["i32", "pointer", "u32"], "i32")!(fd, address, address.length) === 0;
  process.umask(umask);
  if (isBound) return fd;
  closeSync(fd);
  return undefined;
}

export interface Datagram {
  readonly text: string;
  /** Of the process that has sent it. */
  readonly pid: number;
  /** That came along (SCM_RIGHTS): the caller's to close. */
  readonly fds: readonly number[];
}

/** recvmsg(2) from such a socket; undefined where nothing waits. */
export function receiveDatagram(fd: number): Datagram | undefined {
  const bytes = Buffer.alloc(65536);
  const control = Buffer.alloc(2048);
  const length = exchangeMessage("recvmsg", fd, bytes, control, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) return undefined;
  let pid = 0;
  const fds: number[] = [];
  // struct cmsghdr: size_t length; int level; int type; each is padded to 8 bytes. The buffer was zeros.
  for (let at = 0; at + 16 <= control.length; ) {
    const size = Number(control.readBigUInt64LE(at));
    if (size < 16) break;
    const type = control.readInt32LE(at + 12);
    if (type === SCM_CREDENTIALS) pid = control.readInt32LE(at + 16);
    if (type === SCM_RIGHTS) for (let word = at + 16; word < at + size; word += 4) fds.push(control.readInt32LE(word));
    at += Math.ceil(size / 8) * 8;
  }
  return { text: bytes.toString("utf8", 0, length), pid, fds };
}

// --- internal ---

const POLLIN = 1;
const POLLOUT = 4;
const POLLERR = 8;
const POLLHUP = 16;
/** By Node's names of architectures. */
const KCMP: Readonly<Record<string, number>> = { x64: 312, arm64: 272 };
const KCMP_FILE = 0n;
// Linux's numbers, the same on every architecture that Node is built for.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const SO_PASSCRED = 16;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
