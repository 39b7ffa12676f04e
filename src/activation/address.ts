/**
 * Addresses as people write them, in the definition and in `activate({ fallback })` alike.
 * This file goes into the user's server: no dependency, nothing but parsing.
 */
import { isIPv4, isIPv6 } from "node:net";

/** Where a socket listens. `host` undefined: every address, IPv4 and IPv6. IPv6 hosts stand without brackets. Port 0: any free one. */
export type Address =
  | { readonly type: "tcp"; readonly host: string | undefined; readonly port: number }
  | { readonly type: "udp"; readonly host: string | undefined; readonly port: number }
  | { readonly type: "unix"; readonly path: string };

/**
 * Reads `8080`, `"8080"`, `"127.0.0.1:8080"`, `"[::1]:8080"`, each with an optional `tcp:` or `udp:` in front, and `"unix:/path"`.
 * @throws {SyntaxError} whose message says what is wrong and what would be right
 */
export function parseAddress(input: string | number): Address {
  const text = String(input);
  const [, scheme = "tcp", rest = ""] = /^(?:(tcp|udp|unix):)?(.*)$/s.exec(text)!;
  if (scheme === "unix") return parseUnix(rest);
  const [, bracketed, plain, port = ""] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?([^:]*)$/s.exec(rest) ?? [];
  const host = bracketed ?? plain;
  const isIp = bracketed === undefined ? isIPv4 : isIPv6;
  if (host !== undefined && !isIp(host)) throw new SyntaxError(`"${host}" is no IP address: ${HINT}`);
  return { type: scheme as "tcp" | "udp", host, port: parsePort(port, text) };
}

/** The inverse of parseAddress, with the scheme always written except for TCP. */
export function formatAddress(address: Address): string {
  if (address.type === "unix") return `unix:${address.path}`;
  const { type, host, port } = address;
  const before = host === undefined ? "" : `${host.includes(":") ? `[${host}]` : host}:`;
  return `${type === "tcp" ? "" : "udp:"}${before}${port}`;
}

// --- internal ---

const HINT = 'write PORT, "127.0.0.1:PORT", "[::1]:PORT" or "unix:/PATH"';

function parsePort(digits: string, whole: string): number {
  if (!/^\d+$/.test(digits)) {
    throw new SyntaxError(`"${whole}" is no address: ${HINT}`);
  }
  const port = Number(digits);
  if (port > 65535) throw new SyntaxError(`port ${digits} is out of range: ports go from 1 to 65535`);
  return port;
}

/** sun_path holds 108 bytes with its terminating NUL (unix(7)). */
function parseUnix(path: string): Address {
  if (path === "") throw new SyntaxError('a unix address needs a path, for example "unix:/run/app.sock"');
  if (path.includes("\0")) throw new SyntaxError("a unix path may not contain a NUL character");
  const bytes = Buffer.byteLength(path);
  if (bytes > 107) throw new SyntaxError(`the unix path is ${bytes} bytes long; 107 is the most that the kernel takes`);
  return { type: "unix", path };
}
