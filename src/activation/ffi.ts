/**
 * Every foreign function that the runtime calls, all but launchd's one from the C library. Node has no other way to ask what
 * an inherited descriptor is, to send a unix datagram, or to pass a descriptor on.
 * Where there is no node:ffi (Node < 26, `--permission` without `--allow-ffi`) each answers undefined.
 */

import type { DynamicLibrary, FunctionSignature, WrappedFunctionFromSignature } from "node:ffi";
import { closeSync } from "node:fs";

export type SocketOption = readonly [level: number, name: number];

export function hasForeignFunctions(): boolean {
  return library() !== null;
}

/** getsockopt(2): the option as 32-bit words, at most `words`. Undefined where it cannot be known. */
export function socketOption(fd: number, [level, name]: SocketOption, words = 1): Uint32Array | undefined {
  const value = new Uint32Array(words);
  const length = new Uint32Array([value.byteLength]);
  const getsockopt = foreign("getsockopt", ["i32", "i32", "i32", "pointer", "pointer"], "i32");
  return getsockopt?.(fd, level, name, value, length) === 0 ? value : undefined;
}

/** getsockname(2): the bytes of the socket address (sockaddr). Undefined where it cannot be known. */
export function socketName(fd: number): Buffer | undefined {
  return nameBy(foreign("getsockname", ["i32", "pointer", "pointer"], "i32"), fd);
}

/** getpeername(2): as socketName, of the other end; undefined also where there is none. */
export function peerName(fd: number): Buffer | undefined {
  return nameBy(foreign("getpeername", ["i32", "pointer", "pointer"], "i32"), fd);
}

/** A second descriptor for the same socket, on Linux not handed to children. Undefined where it cannot be made. */
export function duplicate(fd: number): number | undefined {
  // fcntl(2) takes its third argument as a variadic one, which on macOS is passed otherwise: there it is dup(2).
  const copy =
    process.platform === "linux"
      ? foreign("fcntl", ["i32", "i32", "i32"], "i32")?.(fd, F_DUPFD_CLOEXEC, 3)
      : foreign("dup", ["i32"], "i32")?.(fd);
  return copy === undefined || copy < 0 ? undefined : copy;
}

/** pipe(2): the descriptors of its reading and its writing end. Undefined where it cannot be made. */
export function openPipe(): [reading: number, writing: number] | undefined {
  const ends = new Int32Array(2);
  return foreign("pipe", ["pointer"], "i32")?.(ends) === 0 ? [ends[0]!, ends[1]!] : undefined;
}

/** pidfd_open(2): a descriptor that stands for a process. Undefined where there is none. */
export function openPidfd(pid: number): number | undefined {
  const fd = foreign("pidfd_open", ["i32", "u32"], "i32")?.(pid, 0) ?? -1;
  return fd < 0 ? undefined : fd;
}

/**
 * Sends one datagram, with descriptors where some are given (SCM_RIGHTS, unix(7)), through an open descriptor or to the
 * unix socket at a path; "@" in front stands for the abstract namespace. Linux only.
 * Gives whether the kernel took it; undefined where it could not be tried.
 */
export function sendUnixDatagram(
  to: string | number,
  message: string,
  fds: readonly number[] = [],
): boolean | undefined {
  if (process.platform !== "linux" || !library()) return undefined;
  if (typeof to === "number") return sendMessage(to, undefined, message, fds);
  const fd = foreign("socket", ["i32", "i32", "i32"], "i32")!(...UNIX_DATAGRAM);
  if (fd < 0) return false;
  // sockaddr_un: the family in the machine's byte order (x64's and arm64's), then the path; an abstract name starts with NUL.
  const sent = sendMessage(fd, Buffer.from(`\x01\0${to.replace(/^@/, "\0")}`), message, fds);
  closeSync(fd);
  return sent;
}

/**
 * launch_activate_socket(3) of macOS's libSystem: the descriptors that launchd holds under that name, or the errno that it
 * gives instead. Undefined where there is no such function. The array that it allocates is freed.
 */
export function launchActivateSocket(name: string): readonly number[] | { readonly errno: number } | undefined {
  const activate = foreign("launch_activate_socket", ["pointer", "pointer", "pointer"], "i32");
  if (!activate) return undefined;
  const array = new BigUint64Array(1);
  const count = new BigUint64Array(1);
  const errno = activate(Buffer.from(`${name}\0`), array, count);
  if (errno !== 0) return { errno };
  const { getInt32 } = process.getBuiltinModule("node:ffi");
  const fds = Array.from({ length: Number(count[0]) }, (_, index) => getInt32(array[0]!, index * 4));
  foreign("free", ["pointer"], "void")!(array[0]!);
  return fds;
}

/** sendmsg(2) or recvmsg(2): how many bytes it has sent or received, or -1. The control data is what rightsTo gives. */
export function exchangeMessage(
  name: "sendmsg" | "recvmsg",
  fd: number,
  bytes: Buffer,
  control: Buffer | undefined,
  flags: number,
  to?: Buffer,
): number {
  const { getRawPointer } = process.getBuiltinModule("node:ffi");
  const vector = new BigUint64Array([getRawPointer(bytes), BigInt(bytes.length)]);
  // msghdr of 64-bit Linux, and of macOS, where some of the lengths are shorter, and followed by nothing but zeros.
  const header = new BigUint64Array(7);
  if (to) header.set([getRawPointer(to), BigInt(to.length)]);
  header.set([getRawPointer(vector), 1n], 2);
  if (control) header.set([getRawPointer(control), BigInt(control.length)], 4);
  inUse.splice(0, 4, to, bytes, vector, control); // Or they might be collected before the call.
  return Number(foreign(name, ["i32", "pointer", "i32"], "i64")!(fd, header, flags));
}

/** A cmsghdr with SOL_SOCKET, SCM_RIGHTS and these descriptors, which start at RIGHTS: its length takes 8 bytes on Linux, 4 on macOS. */
export function rightsTo(fds: readonly number[]): Buffer {
  const control = Buffer.alloc(RIGHTS + Math.ceil(fds.length / 2) * 8);
  control.writeUInt32LE(RIGHTS + 4 * fds.length);
  control.writeUInt32LE(SOL_SOCKET, RIGHTS - 8);
  control.writeUInt32LE(1, RIGHTS - 4);
  for (const [index, fd] of fds.entries()) control.writeInt32LE(fd, RIGHTS + 4 * index);
  return control;
}

export const isDarwin: boolean = process.platform === "darwin";
export const SOL_SOCKET: number = isDarwin ? 0xffff : 1;
export const RIGHTS: number = isDarwin ? 12 : 16;

// --- internal ---

// Linux's numbers, the same on every architecture that Node is built for.
const F_DUPFD_CLOEXEC = 1030;
/** AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC. */
const UNIX_DATAGRAM = [1, 2 | 0o2000000, 0] as const;

type Types = NonNullable<FunctionSignature["arguments"]>;

let loaded: DynamicLibrary | null | undefined;
const functions = new Map<string, unknown>();

/** Each is looked up when it is first called: together they would cost more than the rest of activate. */
export function foreign<const A extends Types, const R extends "i32" | "i64" | "void" | "pointer">(
  name: string,
  types: A,
  returns: R,
): WrappedFunctionFromSignature<{ arguments: A; return: R }> | undefined {
  if (!functions.has(name)) functions.set(name, find(name, types, returns));
  return functions.get(name) as WrappedFunctionFromSignature<{ arguments: A; return: R }> | undefined;
}

function find(name: string, types: Types, returns: FunctionSignature["return"]): unknown {
  try {
    // node:ffi ignores keys of a signature that it does not know: in 26.10 they are `arguments` and `return`.
    return library()?.getFunction(name, { arguments: types, return: returns });
  } catch {
    return undefined;
  }
}

function library(): DynamicLibrary | null {
  loaded ??= load();
  return loaded;
}

/** Costs more than a millisecond, so only when something is to be asked. */
function load(): DynamicLibrary | null {
  const { emitWarning } = process;
  try {
    // Node says that node:ffi is experimental. Under inetd stderr is the client, and nowhere has the user chosen it.
    process.emitWarning = () => {};
    return process.getBuiltinModule("node:ffi").dlopen(null).lib;
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function nameBy(
  ask: ((fd: number, name: Uint8Array, length: Uint32Array) => number) | undefined,
  fd: number,
): Buffer | undefined {
  const name = Buffer.alloc(128);
  const length = new Uint32Array([128]);
  return ask?.(fd, name, length) === 0 ? name.subarray(0, length[0]) : undefined;
}

function sendMessage(fd: number, to: Buffer | undefined, message: string, fds: readonly number[]): boolean {
  const rights = fds.length > 0 ? rightsTo(fds) : undefined;
  return exchangeMessage("sendmsg", fd, Buffer.from(message), rights, MSG_NOSIGNAL, to) >= 0;
}

const inUse: unknown[] = [];

const MSG_NOSIGNAL = 0x4000;
