import { resolve } from "node:path";
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { formatAddress } from "../activation/address.ts";
import { overlap } from "../definition/collisions.ts";
import { type Problem, RouseError } from "../problem.ts";
import type { Address, Service, ServiceSocket } from "../service.ts";
import { readPort, readSocket, type SocketWords, suggest } from "./socket-words.ts";
import type { Limits, WantedSocket } from "./sockets.ts";

export interface SocketOptions {
  /** Each as `--socket` was given. */
  readonly sockets: readonly string[];
  /** Each as `--port` was given. */
  readonly ports: readonly string[];
  /** One process per connection. Only for a program without a definition. */
  readonly accept: boolean;
}

/**
 * The sockets that a run needs: the definition's, some of them elsewhere by options, or without a definition those of the
 * options, in the order in which they were given.
 * @throws {RouseError} with everything that is wrong with the options
 */
export function wantedSockets(service: Service | undefined, options: SocketOptions): WantedSocket[] {
  const problems: Problem[] = [];
  const said = [
    ...collect(options.sockets, readSocket, problems),
    ...collect(options.ports, readPort, problems).map((port) => ({ ...port, address: undefined })),
  ];
  const wanted = service
    ? ofDefinition(service, said, options.accept, problems)
    : said.map((words) => ofOption(words, options.accept, problems));
  if (!service) problems.push(...mixtureProblems(wanted));
  problems.push(...overlapProblems(wanted));
  if (problems.length > 0) throw new RouseError(problems);
  return wanted;
}

// --- internal ---

interface PortWords {
  readonly name: string;
  readonly port: number;
  readonly address: undefined;
}
type Said = SocketWords | PortWords;

/** systemd.socket(5), MaxConnections=. */
const NO_LIMITS: Limits = { connections: 64, perSource: undefined };
/** As in the definition. */
const MODE = "0660";

function collect<T>(texts: readonly string[], read: (text: string) => T, problems: Problem[]): T[] {
  return texts.flatMap((text) => {
    try {
      return [read(text)];
    } catch (error) {
      if (!(error instanceof RouseError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
}

function ofOption(words: Said, accept: boolean, problems: Problem[]): WantedSocket {
  const address: Address = words.address ?? { type: "tcp", host: undefined, port: words.port };
  if (accept && address.type === "udp") {
    problems.push({
      code: "invalid-option",
      what: `--accept starts a process per connection, and ${formatAddress(address)} takes datagrams`,
      mend: "leave --accept or that socket out",
    });
  }
  return {
    name: words.name ?? UNNAMED,
    listen: [{ address, isExplicit: true }],
    backlog: undefined,
    noDelay: false,
    freeBind: undefined,
    mode: undefined,
    group: undefined,
    optional: false,
    accept: accept ? "connection" : undefined,
    limits: NO_LIMITS,
    scheme: words.address && words.scheme,
  };
}

function ofDefinition(service: Service, said: readonly Said[], accept: boolean, problems: Problem[]): WantedSocket[] {
  const names = service.sockets.map(({ name }) => name);
  if (accept) {
    problems.push({
      code: "invalid-option",
      what: "--accept is for a program without a definition",
      mend: 'write accept: "connection" at the socket in the definition',
    });
  }
  // What has no name, and what has only a type for a name, can mean but one.
  const named = said.map((words) => {
    const isTypes = words.address !== undefined && (words.name === undefined || words.name === words.scheme);
    const name = isTypes && names.length === 1 && !names.includes(words.name!) ? names[0]! : words.name;
    return { ...words, name };
  });
  problems.push(...named.flatMap(({ name }) => unknownProblem(name, names)));
  return service.sockets.map((socket) => {
    const own = named.filter(({ name }) => name === socket.name);
    return ofServiceSocket(socket, own as Said[], problems);
  });
}

function unknownProblem(name: string | undefined, names: readonly string[]): Problem[] {
  if (name !== undefined && names.includes(name)) return [];
  const known = names.length === 0 ? "the definition has no sockets" : `the definition's are ${names.join(", ")}`;
  const near = name === undefined ? undefined : suggest(name, names);
  const what = name === undefined ? `--socket without a name: ${known}` : `no socket is named "${name}": ${known}`;
  const mend = near ? `did you mean "${near}"?` : `write the name in front, for example --socket ${names[0]}=8080`;
  return [{ code: "unknown-socket", what, ...(names.length > 0 && { mend }) }];
}

function ofServiceSocket(socket: ServiceSocket, said: readonly Said[], problems: Problem[]): WantedSocket {
  const { name, backlog, noDelay, freeBind, mode, group, optional } = socket;
  const { accept, limits } = socket as ServiceSocket & Partial<Pick<WantedSocket, "accept" | "limits">>;
  const elsewhere = said.flatMap((words) => (words.address ? [words.address] : []));
  const ports = said.flatMap((words) => (words.address ? [] : [words.port]));
  const listen = elsewhere.length > 0 ? elsewhere : atPort(socket, ports[0], problems);
  problems.push(...kindProblems(socket, elsewhere));
  if (ports.length > 1 || (ports.length > 0 && elsewhere.length > 0)) {
    const options = ports.length > 1 ? "--port twice" : "both --port and --socket";
    const what = `the socket "${name}" has ${options}`;
    problems.push({ code: "invalid-option", what, mend: "leave one of them out" });
  }
  return {
    name,
    listen: listen.map((address) => ({ address, isExplicit: said.length > 0 && !socket.listen.includes(address) })),
    backlog,
    noDelay,
    freeBind,
    mode: mode ?? (listen.some(({ type }) => type === "unix") ? MODE : undefined),
    group,
    optional,
    accept,
    limits: limits ?? NO_LIMITS,
    scheme: said.find((words) => words.address)?.address && (said[0] as SocketWords).scheme,
  };
}

/** Every network address of it at that port, where they have one port between them. */
function atPort(socket: ServiceSocket, port: number | undefined, problems: Problem[]): readonly Address[] {
  if (port === undefined) return socket.listen;
  const now = new Set(socket.listen.flatMap((address) => (address.type === "unix" ? [] : [address.port])));
  if (now.size !== 1) {
    const places = socket.listen.map(formatAddress).join(" and ");
    problems.push({
      code: "invalid-option",
      what: `--port ${socket.name}=${port} cannot say which: the socket "${socket.name}" is at ${places}`,
      mend: `write where it shall be instead, for example --socket ${socket.name}=${port}`,
    });
  }
  return socket.listen.map((address) => (address.type === "unix" ? address : { ...address, port }));
}

/** The program reads connections or datagrams, whatever is said here. */
function kindProblems({ name, listen }: ServiceSocket, elsewhere: readonly Address[]): Problem[] {
  const isUdp = listen[0]!.type === "udp";
  const other = elsewhere.find(({ type }) => (type === "udp") !== isUdp);
  if (!other) return [];
  const [takes, not] = isUdp ? ["datagrams", "connections"] : ["connections", "datagrams"];
  const mend =
    other.type === "unix"
      ? `write --socket ${name}=udp:PORT`
      : `write --socket ${name}=${formatAddress({ ...other, type: isUdp ? "udp" : "tcp" })}`;
  const what = `the socket "${name}" takes ${takes}, and ${formatAddress(other)} is for ${not}`;
  return [{ code: "invalid-option", what, mend }];
}

function mixtureProblems(wanted: readonly WantedSocket[]): Problem[] {
  const names = new Set(wanted.map(({ name }) => name));
  names.delete(UNNAMED);
  return [...names].flatMap((name) => {
    const types = wanted.flatMap((socket) => (socket.name === name ? socket.listen : []));
    const datagrams = types.filter(({ address }) => address.type === "udp").length;
    if (datagrams === 0 || datagrams === types.length) return [];
    const what = `the socket "${name}" mixes UDP with addresses for connections, which no server takes both`;
    return [{ code: "invalid-option", what, mend: "give each a name of its own" }];
  });
}

/** What the definition says beside itself is judged already, and its unix paths are mapped. */
function overlapProblems(wanted: readonly WantedSocket[]): Problem[] {
  const all = wanted.flatMap(({ name, listen }) => listen.map((one) => ({ name, ...one, place: place(one.address) })));
  return all.flatMap((later, index) => {
    const earlier = all.slice(0, index).find((one) => {
      if (!one.isExplicit && !later.isExplicit) return false;
      if (one.address.type === "unix" && one.isExplicit !== later.isExplicit) return false;
      return (one.address.type === "unix" || one.address.port !== 0) && overlap(one.place, later.place);
    });
    if (!earlier) return [];
    const [one, other] = [earlier, later].map(({ name, address }) => {
      return `${name === UNNAMED ? "" : `"${name}" on `}${formatAddress(address)}`;
    });
    return [
      {
        code: "address-taken",
        what: `two sockets want one address: ${one} and ${other}`,
        mend: "give one of them another port or path",
      },
    ];
  });
}

function place(address: Address): Address {
  return address.type === "unix" ? { type: "unix", path: resolve(address.path) } : address;
}
