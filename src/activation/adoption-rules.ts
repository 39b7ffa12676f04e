/** Which socket a listen call of the program receives. */
import { resolve } from "node:path";
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { built } from "./built.ts";
import { ActivationError } from "./error.ts";
import type { PassedSocket } from "./passed-socket.ts";

/** The address that the program listens on, and the name of the socket which that call receives. */
export interface AdoptionRule {
  readonly name: string;
  readonly address: Address;
}

export type Adoption = readonly [name: string, address: string];

export interface AdoptionRules {
  readonly all: readonly AdoptionRule[];
  /**
   * The name of the socket for a call that listens on `asked`. Where there is no rule, a socket is for the port or path that
   * it is named by, and the only socket for the first call of its kind, which makes a rule of that.
   */
  find(sockets: readonly PassedSocket[], asked: Address): string | undefined;
}

/** Names, and the text of what the program listens on: as the definition has them, else as in ROUSE_ADOPT, which is taken out of `env`. */
export function readAdoptions(env: NodeJS.ProcessEnv): readonly Adoption[] {
  const variable = env.ROUSE_ADOPT;
  if (variable !== undefined) Reflect.deleteProperty(env, "ROUSE_ADOPT");
  const baked = Object.entries(built?.sockets ?? {}).flatMap(([name, { adopt }]) =>
    adopt ? [[name, adopt] as const] : [],
  );
  if (baked.length > 0 || variable === undefined) return baked;
  return variable.split(/\s+/).filter(Boolean).map(split);
}

/** @throws {ActivationError} bad-variable */
export function makeRules(adoptions: readonly Adoption[]): AdoptionRules {
  const all = adoptions.map(parse);
  return {
    all,
    find(sockets, asked) {
      const matching = all.filter(({ address }) => covers(address, asked));
      // One for this host alone goes before one for any.
      const exact = matching.find(({ address }) => address.type !== "unix" && address.host !== undefined);
      if (all.length > 0) return (exact ?? matching[0])?.name;

      const ofKind = sockets.filter((socket) => socket.type === (asked.type === "udp" ? "datagram" : "stream"));
      const own = asked.type === "unix" ? asked.path : String(asked.port);
      if (ofKind.some(({ name }) => name === own)) return own;
      const only = onlyOne(sockets);
      // Who asks for any free port means none of ours.
      if (!only || !ofKind.includes(only) || own === "0") return undefined;
      all.push({ name: only.name, address: asked });
      return only.name;
    },
  };
}

export function describeRules({ all }: AdoptionRules): string {
  return all.map(({ name, address }) => `${name}=${formatAddress(address)}`).join(" ") || "none";
}

// --- internal ---

function split(text: string): Adoption {
  const at = text.indexOf("=");
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
}

function parse([name, text]: Adoption): AdoptionRule {
  try {
    if (name === "") throw new SyntaxError(`"${text}" is no NAME=ADDRESS`);
    return { name, address: parseAddress(text.replace(/^(?=[./])/, "unix:")) };
  } catch (cause) {
    const mend = "Write NAME=PORT, NAME=HOST:PORT, NAME=udp:PORT or NAME=/PATH, with spaces between";
    throw new ActivationError("bad-variable", `ROUSE_ADOPT: ${(cause as Error).message}`, mend, cause);
  }
}

function covers(rule: Address, asked: Address): boolean {
  if (rule.type === "unix" || asked.type === "unix") {
    return rule.type === "unix" && asked.type === "unix" && resolve(rule.path) === resolve(asked.path);
  }
  if (rule.type !== asked.type || rule.port !== asked.port) return false;
  // To Node no host is any, and localhost is one of these.
  const host = asked.host?.toLowerCase();
  const hosts = host === undefined ? ["::", "0.0.0.0"] : host === "localhost" ? ["127.0.0.1", "::1"] : [host];
  return rule.host === undefined || hosts.includes(rule.host);
}

/** The socket, of which a unit may have several under one name. One that is named by a port or a path is for that. */
function onlyOne(sockets: readonly PassedSocket[]): PassedSocket | undefined {
  const [first, ...others] = sockets.filter(({ role, name }) => role !== undefined && name !== "stored");
  if (others.some(({ name }) => name !== first?.name || name === UNNAMED)) return undefined;
  return first && !/^\d+$|\//.test(first.name) ? first : undefined;
}
