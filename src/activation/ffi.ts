/**
 * Every foreign function that the runtime calls: getsockopt(2), getsockname(2), socket(2) and sendto(2) from the C library.
 * Node has no other way to ask what an inherited descriptor is, or to send a unix datagram.
 * Where there is no node:ffi (Node < 26, `--permission` without `--allow-ffi`, a platform other than Linux) each answers undefined.
 */
import { closeSync } from "node:fs";

// Linux's numbers, the same on every architecture that Node is built for.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

/** getsockopt(2): as many 32-bit words as the kernel gave, at most `words`. Undefined where it cannot be known. */
export function socketOption(fd: number, level: number, option: number, words = 1): Uint32Array | undefined {
  const value = new Uint32Array(words);
  const length = new Uint32Array([value.byteLength]);
  if (libc()?.getsockopt(fd, level, option, value, length) !== 0) return undefined;
  return value.subarray(0, length[0]! >> 2);
}

/** getsockname(2): the bytes of the socket address (sockaddr). Undefined where it cannot be known. */
export function socketName(fd: number): Uint8Array | undefined {
  const name = new Uint8Array(128);
  const length = new Uint32Array([name.byteLength]);
  if (libc()?.getsockname(fd, name, length) !== 0) return undefined;
  return name.subarray(0, length[0]);
}

/**
 * Sends one datagram to a unix socket; `path` starts with "@" or NUL for the abstract namespace (unix(7)).
 * @returns whether the kernel took it; undefined where it could not be tried
 */
export function sendUnixDatagram(path: string, message: string): boolean | undefined {
  const c = libc();
  if (!c) return undefined;
  const fd = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (!(fd >= 0)) return false;
  try {
    const address = unixAddress(path);
    const bytes = new TextEncoder().encode(message);
    const length = BigInt(bytes.length);
    return c.sendto(fd, bytes, length, MSG_NOSIGNAL, address, address.length) === length;
  } finally {
    closeSync(fd);
  }
}

// --- internal ---

/** sockaddr_un: the family in the machine's byte order, then the path; an abstract name starts with NUL and ends with the length. */
function unixAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (path.startsWith("@")) name[0] = 0;
  const address = new Uint8Array(2 + name.length);
  address.set(new Uint8Array(new Uint16Array([AF_UNIX]).buffer));
  address.set(name, 2);
  return address;
}

interface Libc {
  getsockopt(fd: number, level: number, option: number, value: Uint32Array, length: Uint32Array): number;
  getsockname(fd: number, name: Uint8Array, length: Uint32Array): number;
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, bytes: Uint8Array, length: bigint, flags: number, to: Uint8Array, toLength: number): bigint;
}

let loaded: Libc | null | undefined;

function libc(): Libc | undefined {
  if (loaded === undefined) loaded = load();
  return loaded ?? undefined;
}

/** About a millisecond: only when something is to be asked. Node says that FFI is experimental at the first load; a built program is told not to. */
function load(): Libc | null {
  if (process.platform !== "linux") return null;
  try {
    const { lib } = process.getBuiltinModule("node:ffi").dlopen(null);
    // node:ffi ignores keys of a signature that it does not know: in 26.10 they are `arguments` and `return`.
    return {
      getsockopt: lib.getFunction("getsockopt", {
        arguments: ["i32", "i32", "i32", "pointer", "pointer"],
        return: "i32",
      }),
      getsockname: lib.getFunction("getsockname", { arguments: ["i32", "pointer", "pointer"], return: "i32" }),
      socket: lib.getFunction("socket", { arguments: ["i32", "i32", "i32"], return: "i32" }),
      sendto: lib.getFunction("sendto", {
        arguments: ["i32", "pointer", "u64", "i32", "pointer", "u32"],
        return: "i64",
      }),
    };
  } catch {
    return null;
  }
}
