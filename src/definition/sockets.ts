import { normalize } from "node:path/posix";
import { parseAddress } from "../activation/address.ts";
import type { Problem } from "../problem.ts";
import type { Address, ServiceSocket } from "../service.ts";
import { acceptProblems } from "./accept.ts";
import { adoptionClashes, resolveAdoption } from "./adopt.ts";
import { collisions } from "./collisions.ts";
import type { SocketDefinition } from "./definition.ts";

/** The sockets with their defaults, and what is wrong with their addresses and modes, alone and beside each other. */
export function resolveSockets(definitions: Record<string, number | string | SocketDefinition>): {
  sockets: ServiceSocket[];
  problems: Problem[];
} {
  const problems: Problem[] = [];
  const sockets = Object.entries(definitions).map(([name, value]) => {
    const definition = typeof value === "object" ? value : { listen: value };
    const listen = resolveAddresses(name, value, problems);
    const unix = listen.some((address) => address.type === "unix");
    const adopt = resolveAdoption(name, definition, listen, problems);
    problems.push(
      ...nameProblems(name),
      ...mixtureProblems(name, listen),
      ...meaninglessProblems(name, definition, listen),
      ...acceptProblems(name, definition, listen),
    );
    return {
      name,
      listen,
      adopt,
      backlog: definition.backlog,
      noDelay: definition.noDelay ?? false,
      freeBind: definition.freeBind,
      mode: unix ? (definition.mode ?? "0660") : undefined,
      group: definition.group,
      optional: definition.optional ?? false,
      accept: definition.accept,
      limits: { connections: definition.limits?.connections ?? 64, perSource: definition.limits?.perSource },
    };
  });
  return { sockets, problems: [...problems, ...collisions(sockets), ...adoptionClashes(sockets)] };
}

// --- internal ---

function resolveAddresses(name: string, value: number | string | SocketDefinition, problems: Problem[]): Address[] {
  const listen = typeof value === "object" ? value.listen : value;
  return [listen].flat().flatMap((input, index) => {
    const suffix = typeof value !== "object" ? "" : Array.isArray(value.listen) ? `.listen.${index}` : ".listen";
    const where = { key: `sockets.${name}${suffix}` };
    try {
      const address = parseAddress(input);
      return serviceAddressProblems(address, where, problems) ? [] : [address];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      problems.push({ code: "invalid-address", what: error.message, where });
      return [];
    }
  });
}

/** What a server may do when it is started by hand, but a service may not. */
function serviceAddressProblems(address: Address, where: { key: string }, problems: Problem[]): boolean {
  const refuse = (what: string, mend: string): boolean => {
    problems.push({ code: "invalid-address", what, where, mend });
    return true;
  };
  if (address.type !== "unix") {
    return address.port === 0 && refuse("port 0 is out of range", "a service's ports go from 1 to 65535");
  }
  const { path } = address;
  if (!path.startsWith("/")) {
    const why = `the unix path "${path}" is relative, and a service has no folder for it to be relative to`;
    return refuse(why, 'write it from the root, for example "unix:/run/app.sock"');
  }
  if (/\p{Cc}/u.test(path)) return refuse("the unix path has a control character", "leave it out");
  if (path.endsWith("/")) return refuse(`the unix path "${path}" names a folder`, "name a file in it");
  const plain = normalize(path);
  return plain !== path && refuse(`the unix path "${path}" goes a roundabout way`, `write "unix:${plain}"`);
}

/** sd_listen_fds_with_names(3) gives these three a meaning of their own. */
export const reservedNames: ReadonlySet<string> = new Set(["unknown", "stored", "connection"]);

export const SOCKET_NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;

function nameProblems(name: string): Problem[] {
  if (!reservedNames.has(name)) return [];
  return [
    {
      code: "invalid-definition",
      what: `"${name}" is a socket name that systemd itself gives a meaning`,
      where: { key: `sockets.${name}` },
      mend: "choose another name",
    },
  ];
}

/** A server takes connections or datagrams, and one name stands for one server. */
function mixtureProblems(name: string, listen: readonly Address[]): Problem[] {
  const datagrams = listen.filter(({ type }) => type === "udp").length;
  if (datagrams === 0 || datagrams === listen.length) return [];
  return [
    {
      code: "invalid-definition",
      what: `the socket "${name}" mixes UDP with addresses for connections, which no server takes both`,
      where: { key: `sockets.${name}` },
      mend: "make two sockets of it, each with a name of its own",
    },
  ];
}

/** Options, what they are for, and which of the socket's addresses they would change. */
const options: readonly (readonly [key: keyof SocketDefinition, meant: string, types: readonly Address["type"][]])[] = [
  ["mode", "unix sockets", ["unix"]],
  ["group", "unix sockets", ["unix"]],
  ["noDelay", "TCP", ["tcp"]],
  ["backlog", "connections", ["tcp", "unix"]],
];

function meaninglessProblems(name: string, definition: SocketDefinition, listen: readonly Address[]): Problem[] {
  return options
    .filter(([key, , types]) => definition[key] !== undefined && !listen.some(({ type }) => types.includes(type)))
    .map(([key, meant]) => ({
      code: "invalid-definition",
      what: `"${key}" has no meaning for ${kindOf(listen)}`,
      where: { key: `sockets.${name}.${key}` },
      mend: `leave it out; it is for ${meant}`,
    }));
}

function kindOf(listen: readonly Address[]): string {
  const only = (wanted: Address["type"]): boolean => listen.every(({ type }) => type === wanted);
  return only("unix") ? "a unix socket" : only("udp") ? "UDP" : "a network socket";
}
