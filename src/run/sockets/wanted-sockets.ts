import { UNNAMED } from "../../../systemd/listen-fds.ts";
import { formatAddress } from "../../activation/address.ts";
import { type Problem, RouseError } from "../../problem.ts";
import type { Address, Limits, Service, ServiceSocket } from "../../service.ts";
import type { WantedSocket } from "../sockets.ts";
import { guessScheme } from "./open/url.ts";
import { type PortWords, readPort, readSocket, type SocketWords } from "./socket-words.ts";
import { doubleProblems, kindProblems, mixtureProblems, overlapProblems, unknownProblem } from "./wanted-problems.ts";

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
 * options, in the order in which they were given. Without a definition several may have one name, and one that got none is
 * called as sd_listen_fds_with_names(3) calls it, which a program of one name takes for that one.
 * @throws {RouseError} with everything that is wrong with the options
 */
export function wantedSockets(service: Pick<Service, "sockets"> | undefined, options: SocketOptions): WantedSocket[] {
  const problems: Problem[] = [];
  const places = collect(options.sockets, readSocket, problems);
  const ports = collect(options.ports, readPort, problems);
  const wanted = service
    ? ofDefinition(service, places, ports, problems)
    : ofOptions([...places, ...ports.map(anywhere)], options.accept);
  if (!service) problems.push(...mixtureProblems(wanted));
  if (options.accept) problems.push(...acceptProblems(service, wanted));
  problems.push(...overlapProblems(wanted));
  if (problems.length > 0) throw new RouseError(problems);
  return wanted;
}

// --- internal ---

/** systemd.socket(5), MaxConnections=. */
const LIMITS: Limits = { connections: 64, perSource: undefined };
/** Of a unix socket, as in the definition. */
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

function anywhere({ name, port }: PortWords): SocketWords {
  return { name, address: { type: "tcp", host: undefined, port }, scheme: undefined };
}

function ofOptions(said: readonly SocketWords[], accept: boolean): WantedSocket[] {
  return said.map(({ name, address, scheme }) => ({
    name: name ?? UNNAMED,
    listen: [{ address, isExplicit: true }],
    backlog: undefined,
    noDelay: false,
    freeBind: undefined,
    mode: undefined,
    group: undefined,
    optional: false,
    accept: accept ? "connection" : undefined,
    limits: LIMITS,
    scheme,
  }));
}

function ofDefinition(
  { sockets }: Pick<Service, "sockets">,
  said: readonly SocketWords[],
  ports: readonly PortWords[],
  problems: Problem[],
): WantedSocket[] {
  const names = sockets.map(({ name }) => name);
  // What has no name but a type can mean only one, where there is only one.
  const places = said.map((words) => {
    const isUnnamed = words.name === undefined || (words.name === words.scheme && !names.includes(words.name));
    return isUnnamed && names.length === 1 ? { ...words, name: names[0]! } : words;
  });
  problems.push(...[...places, ...ports].flatMap(({ name }) => unknownProblem(name, names)));
  return sockets.map((socket) => {
    const ofIt = ({ name }: { readonly name: string | undefined }): boolean => name === socket.name;
    return ofServiceSocket(socket, places.filter(ofIt), ports.filter(ofIt), problems);
  });
}

function ofServiceSocket(
  socket: ServiceSocket,
  places: readonly SocketWords[],
  ports: readonly PortWords[],
  problems: Problem[],
): WantedSocket {
  const { name, backlog, noDelay, freeBind, mode, group, optional, accept, limits } = socket;
  const elsewhere = places.map(({ address }) => address);
  problems.push(...doubleProblems(name, places.length, ports.length), ...kindProblems(socket, elsewhere));
  const listen = elsewhere.length > 0 ? elsewhere : atPort(socket, ports[0]?.port, problems);
  return {
    name,
    listen: listen.map((address) => ({ address, isExplicit: !socket.listen.includes(address) })),
    backlog,
    noDelay,
    freeBind,
    mode: mode ?? (listen.some(({ type }) => type === "unix") ? MODE : undefined),
    group,
    optional,
    accept,
    limits,
    // The definition's port tells more than one that was chosen for today.
    scheme: places[0]?.scheme ?? guessScheme(name, socket.listen),
  };
}

/** Every network address of it at that port, where they have one port between them. */
function atPort(socket: ServiceSocket, port: number | undefined, problems: Problem[]): readonly Address[] {
  if (port === undefined) return socket.listen;
  const { name, listen } = socket;
  const now = new Set(listen.flatMap((address) => (address.type === "unix" ? [] : [address.port])));
  if (now.size === 1) return listen.map((address) => (address.type === "unix" ? address : { ...address, port }));
  problems.push({
    code: "invalid-option",
    what: `--port ${name}=${port} cannot say which: the socket "${name}" is at ${listen.map(formatAddress).join(" and ")}`,
    mend: `write where it shall be instead, for example --socket ${name}=${port}`,
  });
  return listen;
}

function acceptProblems(service: unknown, wanted: readonly WantedSocket[]): Problem[] {
  if (service) {
    const what = "--accept is for a program without a definition";
    return [{ code: "invalid-option", what, mend: 'write accept: "connection" at the socket in the definition' }];
  }
  return wanted.flatMap(({ listen: [one] }) => {
    if (one!.address.type !== "udp") return [];
    const what = `--accept starts a process per connection, and ${formatAddress(one!.address)} takes datagrams`;
    return [{ code: "invalid-option", what, mend: "leave --accept or that socket out" }];
  });
}
