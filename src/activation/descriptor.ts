/** Says what an inherited descriptor is, without disturbing it: a failed listen would close it. */
import { fstatSync } from "node:fs";
import type { Address } from "./address.ts";
import { ActivationError } from "./error.ts";
import { type SocketOption, socketName, socketOption } from "./ffi.ts";
import { type OwnedSocket, ownSocket } from "./passed-socket.ts";

/** Whatever stands between does not hand descriptors on. */
export const START_DIRECTLY =
  "npm run and node --watch pass no descriptors on: start node itself, or with exec in a shell script";

/**
 * Takes a listening stream socket that was passed under `name`. Without node:ffi, all that is seen is that it is a socket.
 * @throws {ActivationError} lost-descriptor, unsupported-socket
 */
export function readListener(fd: number, name: string): OwnedSocket {
  const place = `descriptor ${fd} ("${name}")`;
  requireSocket(fd, place);
  const type = socketOption(fd, SO_TYPE)?.[0] ?? SOCK_STREAM;
  const bytes = socketName(fd);
  const family = bytes && FAMILIES[bytes[0]! + bytes[1]!];
  const listens = socketOption(fd, SO_ACCEPTCONN)?.[0] !== 0;
  if (type !== SOCK_STREAM || !listens || (bytes && !family)) {
    throw new ActivationError(
      "unsupported-socket",
      `${place} is no listening stream socket over IPv4, IPv6 or unix`,
      "Pass one by ListenStream= and Accept=no: others are not served yet",
    );
  }
  // tcp(7): of a listening socket tcpi_sacked, the eighth word, is the most that its queue holds (sk_max_ack_backlog).
  const backlog = socketOption(fd, TCP_INFO, 8)?.[7];
  return ownSocket({ name, fd, family, address: bytes && readAddress(family, bytes), backlog });
}

// --- internal ---

// Linux's numbers: of SOL_SOCKET (asm-generic/socket.h) and of IPPROTO_TCP (netinet/tcp.h).
const SO_TYPE: SocketOption = [1, 3];
const SO_ACCEPTCONN: SocketOption = [1, 30];
const TCP_INFO: SocketOption = [6, 11];
const SOCK_STREAM = 1;
const FAMILIES: Readonly<Record<number, "unix" | "ipv4" | "ipv6">> = { 1: "unix", 2: "ipv4", 10: "ipv6" };

function requireSocket(fd: number, place: string): void {
  try {
    if (fstatSync(fd).isSocket()) return;
  } catch {
    // EBADF. Seldom: under the number of a lost one Node has opened its own since.
  }
  throw new ActivationError("lost-descriptor", `${place} is no open socket`, START_DIRECTLY);
}

/** From a sockaddr_un, sockaddr_in or sockaddr_in6. */
function readAddress(family: "unix" | "ipv4" | "ipv6" | undefined, bytes: Buffer): Address | undefined {
  if (family === "unix") {
    // unix(7): a path ends at its NUL; an abstract name starts with one, shown as "@"; there may be none at all.
    const path = bytes.toString("utf8", 2).replace(/^\0/, "@").split("\0")[0]!;
    return path === "" ? undefined : { type: "unix", path };
  }
  const port = bytes.readUInt16BE(2);
  if (family === "ipv4") return { type: "tcp", host: bytes.subarray(4, 8).join("."), port };
  // URL writes an IPv6 address in its short form.
  const groups = bytes.toString("hex", 8, 24).replaceAll(/.{4}(?=.)/g, "$&:");
  return { type: "tcp", host: new URL(`http://[${groups}]`).hostname.slice(1, -1), port };
}
