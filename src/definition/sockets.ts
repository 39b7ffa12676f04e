import { isIPv4 } from "node:net";
import { normalize } from "node:path/posix";
import { formatAddress, parseAddress } from "../activation/address.ts";
import type { Problem } from "../problem.ts";
import type { Address, ServiceSocket } from "../service.ts";
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
    problems.push(...nameProblems(name), ...unixOnlyProblems(name, definition, listen));
    return {
      name,
      listen,
      backlog: definition.backlog,
      noDelay: definition.noDelay ?? false,
      freeBind: definition.freeBind,
      mode: unix ? (definition.mode ?? "0660") : undefined,
      group: definition.group,
    };
  });
  return { sockets, problems: [...problems, ...collisions(sockets)] };
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
const reservedNames = new Set(["unknown", "stored", "connection"]);

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

function unixOnlyProblems(name: string, definition: SocketDefinition, listen: readonly Address[]): Problem[] {
  if (listen.some((address) => address.type === "unix")) return [];
  return (["mode", "group"] as const)
    .filter((key) => definition[key] !== undefined)
    .map((key) => ({
      code: "invalid-definition",
      what: `"${key}" has no meaning for a network socket`,
      where: { key: `sockets.${name}.${key}` },
      mend: "leave it out; it is for unix sockets",
    }));
}

/** The kernel refuses the second listener on an address (EADDRINUSE), also where one of the two is a wildcard. */
function collisions(sockets: readonly ServiceSocket[]): Problem[] {
  const all = sockets.flatMap((socket) => socket.listen.map((address) => ({ socket, address })));
  return all.flatMap((later, index) => {
    const earlier = all.slice(0, index).find((candidate) => overlap(candidate.address, later.address));
    if (!earlier) return [];
    const one = `"${earlier.socket.name}" on ${formatAddress(earlier.address)}`;
    const other = `"${later.socket.name}" on ${formatAddress(later.address)}`;
    return [
      {
        code: "address-taken",
        what: `two sockets want one address: ${one} and ${other}`,
        where: { key: `sockets.${later.socket.name}` },
        mend: "give one of them another port or path",
      },
    ];
  });
}

function overlap(a: Address, b: Address): boolean {
  if (a.type === "unix" || b.type === "unix") return a.type === "unix" && b.type === "unix" && a.path === b.path;
  if (a.type !== b.type || a.port !== b.port) return false;
  return canonical(a.host) === canonical(b.host) || covers(a.host, b.host) || covers(b.host, a.host);
}

/** An IPv6 address has many spellings; URL writes the short one. One with a zone stands for itself. */
function canonical(host: string | undefined): string | undefined {
  return host?.includes(":") && !host.includes("%") ? new URL(`http://[${host}]`).hostname : host;
}

function covers(wildcard: string | undefined, host: string | undefined): boolean {
  if (wildcard === undefined || canonical(wildcard) === "[::]") return true;
  return wildcard === "0.0.0.0" && (host === undefined || isIPv4(host));
}
