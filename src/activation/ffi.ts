/**
 * Every foreign function that the runtime calls: getsockopt(2), getsockname(2), socket(2) and sendto(2) from the C library.
 * Node has no other way to ask what an inherited descriptor is, or to send a unix datagram.
 * Where there is no node:ffi (Node < 26, `--permission` without `--allow-ffi`, a platform other than Linux) each answers undefined.
 */
import { closeSync } from "node:fs";

export type SocketOption = readonly [level: number, name: number];

/** getsockopt(2): the option as 32-bit words, at most `words`. Undefined where it cannot be known. */
export function socketOption(fd: number, [level, name]: SocketOption, words = 1): Uint32Array | undefined {
  const value = new Uint32Array(words);
  const length = new Uint32Array([value.byteLength]);
  return libc()?.getsockopt(fd, level, name, value, length) === 0 ? value : undefined;
}

/** getsockname(2): the bytes of the socket address (sockaddr). Undefined where it cannot be known. */
export function socketName(fd: number): Buffer | undefined {
  const name = Buffer.alloc(128);
  const length = new Uint32Array([128]);
  return libc()?.getsockname(fd, name, length) === 0 ? name.subarray(0, length[0]) : undefined;
}

/**
 * Sends one datagram to a unix socket; `path` starts with "@" for the abstract namespace (unix(7)).
 * Gives whether the kernel took it; undefined where it could not be tried.
 */
export function sendUnixDatagram(path: string, message: string): boolean | undefined {
  const c = libc();
  if (!c) return undefined;
  const fd = c.socket(...UNIX_DATAGRAM);
  if (fd < 0) return false;
  // sockaddr_un: the family in the machine's byte order (x64's and arm64's), then the path; an abstract name starts with NUL.
  const to = Buffer.from(`\x01\0${path.replace(/^@/, "\0")}`);
  const bytes = Buffer.from(message);
  const sent = c.sendto(fd, bytes, BigInt(bytes.length), 0, to, to.length);
  closeSync(fd);
  return sent >= 0n;
}

// --- internal ---

// Linux's numbers, the same on every architecture that Node is built for.
/** AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC. */
const UNIX_DATAGRAM = [1, 2 | 0o2000000, 0] as const;

type Libc = NonNullable<ReturnType<typeof load>>;

let loaded: Libc | null | undefined;

function libc(): Libc | null {
  loaded ??= load();
  return loaded;
}

/** Costs more than a millisecond, so only when something is to be asked. Node warns once that FFI is experimental; a built program does not. */
function load() {
  if (process.platform !== "linux") return null;
  try {
    // node:ffi ignores keys of a signature that it does not know: in 26.10 they are `arguments` and `return`.
    return process.getBuiltinModule("node:ffi").dlopen(null, {
      getsockopt: { arguments: ["i32", "i32", "i32", "pointer", "pointer"], return: "i32" },
      getsockname: { arguments: ["i32", "pointer", "pointer"], return: "i32" },
      socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
      sendto: { arguments: ["i32", "pointer", "u64", "i32", "pointer", "u32"], return: "i64" },
    }).functions;
  } catch {
    return null;
  }
}
