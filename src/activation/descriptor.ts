/** Says what an inherited descriptor is, without disturbing it: a failed listen would close it. */
import { fstatSync, type Stats } from "node:fs";
import { isIPv6, SocketAddress } from "node:net";
import type { Address } from "./address.ts";
import { ActivationError } from "./error.ts";
import { socketName, socketOption } from "./ffi.ts";
import type { PassedSocket } from "./passed-socket.ts";

/** What can be known of a listening stream socket. Without node:ffi, only that it is a socket. */
export interface Descriptor {
  readonly fd: number;
  readonly family: PassedSocket["family"];
  readonly address: Address | undefined;
  /** As the kernel keeps it; only of TCP sockets. */
  readonly backlog: number | undefined;
}

/**
 * Takes a descriptor that was passed under `name`.
 * @throws {ActivationError} lost-descriptor, not-a-socket, not-listening, unsupported-socket
 */
export function readListener(fd: number, name: string): Descriptor {
  const place = `descriptor ${fd} ("${name}")`;
  requireSocket(fd, place);
  const type = socketOption(fd, SOL_SOCKET, SO_TYPE)?.[0];
  if (type !== undefined && type !== SOCK_STREAM) throw unsupported(place, `${TYPES[type] ?? `type ${type}`} socket`);
  if (socketOption(fd, SOL_SOCKET, SO_ACCEPTCONN)?.[0] === 0) {
    throw new ActivationError(
      "not-listening",
      `${place} is a socket that does not listen`,
      "Pass listening sockets: Accept=no in a .socket unit, listen(2) elsewhere",
    );
  }
  const domain = socketOption(fd, SOL_SOCKET, SO_DOMAIN)?.[0];
  const family = domain === undefined ? undefined : FAMILIES[domain];
  if (domain !== undefined && family === undefined) throw unsupported(place, `socket of address family ${domain}`);
  return { fd, family, address: readAddress(fd, family), backlog: family === "unix" ? undefined : readBacklog(fd) };
}

// --- internal ---

// Linux's numbers: asm-generic/socket.h, netinet/in.h, netinet/tcp.h.
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const TCP_INFO = 11;
const TCP_LISTEN = 10;
const SOCK_STREAM = 1;
const TYPES: Readonly<Record<number, string>> = { 2: "datagram", 3: "raw", 5: "sequential-packet" };
const FAMILIES: Readonly<Record<number, PassedSocket["family"]>> = { 1: "unix", 2: "ipv4", 10: "ipv6" };

function requireSocket(fd: number, place: string): void {
  const mend =
    "Start the program directly, so that nothing between closes the descriptors (exec in a shell script does)";
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch (cause) {
    throw new ActivationError("lost-descriptor", `${place} is not open: it was lost on the way`, mend, { cause });
  }
  if (stats.isSocket()) return;
  // A closed descriptor looks like this as well: Node has opened its own under that number since.
  const kind = stats.isFile()
    ? "a file"
    : stats.isFIFO()
      ? "a pipe or FIFO"
      : stats.isCharacterDevice()
        ? "a device"
        : "something else";
  throw new ActivationError("not-a-socket", `${place} is no socket but ${kind}`, mend);
}

function unsupported(place: string, what: string): ActivationError {
  return new ActivationError(
    "unsupported-socket",
    `${place} is a ${what}, which Rouse does not serve yet`,
    "Pass stream sockets over IPv4, IPv6 or unix: ListenStream= in a .socket unit",
  );
}

/** tcp(7), TCP_INFO: of a listening socket tcpi_sacked, the eighth word, is the most that the queue holds (sk_max_ack_backlog). */
function readBacklog(fd: number): number | undefined {
  const info = socketOption(fd, IPPROTO_TCP, TCP_INFO, 8);
  if (!info || (info[0]! & 0xff) !== TCP_LISTEN) return undefined;
  return info[7] || undefined;
}

function readAddress(fd: number, family: PassedSocket["family"]): Address | undefined {
  const name = family && socketName(fd);
  if (!name) return undefined;
  if (family === "unix") return readUnixAddress(name.subarray(2));
  const port = name[2]! * 256 + name[3]!;
  if (family === "ipv4") return { type: "tcp", host: name.subarray(4, 8).join("."), port };
  const groups = Array.from({ length: 8 }, (_, i) => (name[8 + 2 * i]! * 256 + name[9 + 2 * i]!).toString(16)).join(
    ":",
  );
  const host = isIPv6(groups) ? new SocketAddress({ family: "ipv6", address: groups }).address : groups;
  const everywhere = host === "::" && socketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY)?.[0] === 0;
  return { type: "tcp", host: everywhere ? undefined : host, port };
}

/** unix(7): a path ends at its NUL; a name in the abstract namespace starts with one, shown as "@"; none at all is unnamed. */
function readUnixAddress(path: Uint8Array): Address | undefined {
  const text = new TextDecoder().decode(path);
  if (text === "") return undefined;
  return { type: "unix", path: text.startsWith("\0") ? `@${text.slice(1)}` : text.replace(/\0.*$/s, "") };
}
