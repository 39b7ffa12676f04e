/** Sockets to hand over, and programs that are started with them: what systemd does, in a test. Needs node:ffi (bin/pinned-node). */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { dlopen, getRawPointer } from "node:ffi";
import { closeSync } from "node:fs";
import { connect, type Socket } from "node:net";

/** A socket that this process holds and never accepts from, as systemd does. */
export interface HeldSocket {
  readonly fd: number;
  /** Of a TCP or UDP socket. */
  readonly port: number;
  close(): void;
}

export interface HeldSocketOptions {
  /** Default: 127.0.0.1 and a port that the kernel chooses; "::1" for IPv6. */
  readonly host?: "127.0.0.1" | "0.0.0.0" | "::1";
  /** A unix socket instead. */
  readonly path?: string;
  /** A unix socket without a path of its own, connected to this one. */
  readonly to?: string;
  readonly type?: "stream" | "datagram";
  /** 0: does not listen. */
  readonly backlog?: number;
}

/** Opens a listening socket. */
export function holdSocket(options: HeldSocketOptions = {}): HeldSocket {
  const { host = "127.0.0.1", path, to, type = "stream", backlog = 128 } = options;
  if (to !== undefined) return holdConnected(unixAddress(to), type);
  const address = path === undefined ? inetAddress(host) : unixAddress(path);
  const fd = c.socket(address[0]!, (type === "stream" ? 1 : 2) | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error("socket(2) failed");
  if (c.bind(fd, address, address.length) !== 0) throw new Error(`bind(2) to ${path ?? host} failed`);
  if (type === "stream" && backlog > 0 && c.listen(fd, backlog) !== 0) throw new Error("listen(2) failed");
  const name = new Uint8Array(128);
  c.getsockname(fd, name, new Uint32Array([name.length]));
  return { fd, port: path === undefined ? name[2]! * 256 + name[3]! : 0, close: () => closeSync(fd) };
}

/** Receives one datagram, or nothing: undefined. Never waits. */
export function receiveDatagram(socket: { readonly fd: number }): string | undefined {
  const bytes = new Uint8Array(4096);
  const length = Number(c.recv(socket.fd, bytes, BigInt(bytes.length), MSG_DONTWAIT));
  return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
}

/** As receiveDatagram, with the descriptors that came along (SCM_RIGHTS); they are the caller's to close. */
export function receiveWithDescriptors(socket: {
  readonly fd: number;
}): { message: string; fds: number[] } | undefined {
  const bytes = Buffer.alloc(4096);
  const vector = new BigUint64Array([getRawPointer(bytes), BigInt(bytes.length)]);
  const control = Buffer.alloc(256);
  const header = new BigUint64Array([0n, 0n, getRawPointer(vector), 1n, getRawPointer(control), 256n, 0n]);
  const length = Number(c.recvmsg(socket.fd, header, MSG_DONTWAIT));
  if (length < 0) return undefined;
  // cmsghdr: 16 bytes, of which the first 8 are its length, then the descriptors.
  const count = header[5] === 0n ? 0 : (Number(control.readBigUInt64LE(0)) - 16) / 4;
  const fds = Array.from({ length: count }, (_, index) => control.readInt32LE(16 + 4 * index));
  return { message: bytes.toString("utf8", 0, length), fds };
}

/** A connected TCP socket, as inetd nowait and Accept=yes pass it, with the client's end of it. */
export async function connectedPair(): Promise<{ passed: HeldSocket; client: Socket }> {
  const listener = holdSocket();
  const client = connect(listener.port, "127.0.0.1");
  await once(client, "connect");
  const fd = c.accept4(listener.fd, null, null, SOCK_CLOEXEC);
  if (fd < 0) throw new Error("accept(2) failed");
  listener.close();
  return { passed: { fd, port: listener.port, close: () => closeSync(fd) }, client };
}

export interface ActivatedOptions extends Omit<SpawnOptions, "stdio"> {
  /** By name, in the order in which they are passed. */
  readonly sockets: Readonly<Record<string, { readonly fd: number } | readonly { readonly fd: number }[]>>;
  /** Leaves LISTEN_PID away, as `systemfd --no-pid` does. */
  readonly withoutPid?: boolean;
}

/**
 * Starts a program with sockets by LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES; stdout and stderr are pipes. A variable of
 * `options.env` replaces what would be set (undefined: is not set at all).
 */
export function spawnActivated(command: string, args: readonly string[], options: ActivatedOptions): ChildProcess {
  const { sockets, withoutPid = false, ...rest } = options;
  const passed = Object.entries(sockets).flatMap(([name, list]) => [list].flat().map(({ fd }) => ({ name, fd })));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    LISTEN_FDS: String(passed.length),
    LISTEN_FDNAMES: passed.map(({ name }) => name).join(":"),
    ...options.env,
  };
  // exec keeps the process id, so that $$ is the program's.
  const script = withoutPid || env.LISTEN_PID ? 'exec "$0" "$@"' : 'LISTEN_PID=$$ exec "$0" "$@"';
  const stdio: SpawnOptions["stdio"] = ["ignore", "pipe", "pipe", ...passed.map(({ fd }) => fd)];
  return spawn("/bin/sh", ["-c", script, command, ...args], { ...rest, env, stdio });
}

// --- internal ---

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;

const { functions: c } = dlopen(null, {
  socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
  bind: { arguments: ["i32", "pointer", "u32"], return: "i32" },
  listen: { arguments: ["i32", "i32"], return: "i32" },
  getsockname: { arguments: ["i32", "pointer", "pointer"], return: "i32" },
  connect: { arguments: ["i32", "pointer", "u32"], return: "i32" },
  accept4: { arguments: ["i32", "pointer", "pointer", "i32"], return: "i32" },
  recvmsg: { arguments: ["i32", "pointer", "i32"], return: "i64" },
  recv: { arguments: ["i32", "pointer", "u64", "i32"], return: "i64" },
});

function holdConnected(address: Uint8Array, type: "stream" | "datagram"): HeldSocket {
  const fd = c.socket(AF_UNIX, (type === "stream" ? 1 : 2) | SOCK_CLOEXEC, 0);
  if (c.connect(fd, address, address.length) !== 0) throw new Error("connect(2) failed");
  return { fd, port: 0, close: () => closeSync(fd) };
}

function inetAddress(host: NonNullable<HeldSocketOptions["host"]>): Uint8Array {
  const bytes = new Uint8Array(host === "::1" ? 28 : 16);
  // sa_family in the byte order of x64 and arm64.
  bytes[0] = host === "::1" ? AF_INET6 : AF_INET;
  if (host === "::1") bytes[23] = 1;
  else bytes.set(host.split(".").map(Number), 4);
  return bytes;
}

function unixAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (path.startsWith("@")) name[0] = 0;
  const bytes = new Uint8Array(2 + name.length);
  bytes[0] = AF_UNIX;
  bytes.set(name, 2);
  return bytes;
}
