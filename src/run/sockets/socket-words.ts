import { isIPv6 } from "node:net";
import leven from "leven";
import { parseAddress } from "../../activation/address.ts";
import { reservedNames, SOCKET_NAME } from "../../definition/sockets.ts";
import { type Problem, RouseError } from "../../problem.ts";
import type { Address } from "../../service.ts";

/** A socket as `--socket` says it. */
export interface SocketWords {
  readonly name: string | undefined;
  readonly address: Address;
  readonly scheme: "http" | "https" | undefined;
}

/** As `--port` says it. */
export interface PortWords {
  readonly name: string;
  readonly port: number;
}

/**
 * Reads `NAME=ADDRESS`, where an address with a slash is a unix path too, and systemfd's `[TYPE::]VALUE`, where a port
 * alone is one of 127.0.0.1.
 * @throws {RouseError} invalid-address, invalid-name
 */
export function readSocket(text: string): SocketWords {
  const [, name, value = text] = /^([^=/:[\]]*)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined) checkName(name, `--socket ${text}`);
  const [, type, typed] = /^([a-z]+)::(.+)$/is.exec(value) ?? [];
  try {
    if (type !== undefined && typed !== undefined) return readTyped(name, type, typed, text);
    if (/^[a-z]+:\/\//i.test(value)) throw new SyntaxError(`"${value}" is a URL`);
    return { name, address: readAddress(value, name === undefined), scheme: undefined };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const what = `--socket ${text}: ${error.message}`;
    const code = /bytes long/.test(error.message) ? "path-too-long" : "invalid-address";
    throw new RouseError({ code, what, mend: mendSocket(name, value) });
  }
}

/**
 * Reads `NAME=PORT`.
 * @throws {RouseError} invalid-address, invalid-name
 */
export function readPort(text: string): PortWords {
  const [, name, digits] = /^([^=]*)=(\d{1,9})$/.exec(text) ?? [];
  if (name === undefined || Number(digits) > 65535) {
    const what =
      name === undefined
        ? `--port ${text}: that is no NAME=PORT`
        : `--port ${text}: ports go from 1 to 65535, and 0 is any free one`;
    throw new RouseError({ code: "invalid-address", what, mend: "for example --port http=8080" });
  }
  checkName(name, `--port ${text}`);
  return { name, port: Number(digits) };
}

/** Which of the known names was meant, or all of them. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: leven(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return nearest && nearest.distance <= Math.max(2, name.length / 3) ? nearest.candidate : undefined;
}

// --- internal ---

const TYPES = ["tcp", "http", "https", "unix", "udp"];

function readTyped(name: string | undefined, type: string, value: string, text: string): SocketWords {
  if (!TYPES.includes(type)) {
    const near = suggest(type, TYPES);
    const what = `--socket ${text}: "${type}" is no type of socket: they are ${TYPES.join(", ")}`;
    const mend = near ? `did you mean ${near}::${value}?` : `write NAME=ADDRESS, for example http=8080`;
    throw new RouseError({ code: "invalid-address", what, mend });
  }
  if (type === "unix") return { name, address: parseAddress(`unix:${value}`), scheme: undefined };
  const scheme = type === "http" || type === "https" ? type : undefined;
  const place = /^\d+$/.test(value) ? `127.0.0.1:${value}` : value;
  return { name: name ?? scheme, address: parseAddress(`${type === "udp" ? "udp" : "tcp"}:${place}`), scheme };
}

function readAddress(value: string, asSystemfd: boolean): Address {
  if (asSystemfd && /^\d+$/.test(value)) return parseAddress(`127.0.0.1:${value}`);
  const isPath = value.includes("/") && !/^(tcp|udp|unix):/.test(value);
  return parseAddress(isPath ? `unix:${value}` : value);
}

function checkName(name: string, option: string): void {
  const problem = nameProblem(name, option);
  if (problem) throw new RouseError(problem);
}

function nameProblem(name: string, option: string): Problem | undefined {
  if (!SOCKET_NAME.test(name)) {
    const what = `${option}: "${name}" is no socket name: letters, digits, _ . - and at most 100 characters`;
    return { code: "invalid-name", what, mend: "for example --socket http=8080" };
  }
  if (!reservedNames.has(name)) return undefined;
  const what = `${option}: "${name}" is a socket name that systemd itself gives a meaning`;
  return { code: "invalid-name", what, mend: "choose another name" };
}

/** What the writer will have meant. */
function mendSocket(name: string | undefined, value: string): string {
  const before = name === undefined ? "" : `${name}=`;
  if (value.includes("/") && !value.includes("://"))
    return `for example --socket ${before}/tmp/${name ?? "server"}.sock`;
  const url = /^(https?|tcp|udp):\/\/[^/]*?(\d+)\/?$/i.exec(value);
  if (url) return `write --socket ${name ?? url[1]}=${/^udp/i.test(value) ? "udp:" : ""}${url[2]}`;
  const local = /^((?:tcp:|udp:)?)localhost:(\d+)$/.exec(value);
  if (local) return `write --socket ${before}${local[1]}127.0.0.1:${local[2]}`;
  const bare = /^(.*):(\d+)$/.exec(value);
  if (bare && isIPv6(bare[1]!)) return `write --socket ${before}[${bare[1]}]:${bare[2]}`;
  const single = /^(https?):(\d+)$/.exec(value);
  if (single) return `write --socket ${name ?? single[1]}=${single[2]}`;
  if (/^[\w.-]*[a-z][\w.-]*$/i.test(value)) return `for a unix socket write --socket ${before}./${value}`;
  return "for example --socket http=8080, --socket stats=udp:8125, --socket s=./x.sock, --socket http::8080";
}
