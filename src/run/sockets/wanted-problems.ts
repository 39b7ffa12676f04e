/** What is wrong with the sockets that somebody asks for, beside how they are spelled. */
import { resolve } from "node:path";
import { UNNAMED } from "../../../systemd/listen-fds.ts";
import { formatAddress } from "../../activation/address.ts";
import { overlap } from "../../definition/collisions.ts";
import type { Problem } from "../../problem.ts";
import type { Address, ServiceSocket } from "../../service.ts";
import type { WantedAddress, WantedSocket } from "../sockets.ts";
import { suggest } from "./socket-words.ts";

export function unknownProblem(name: string | undefined, names: readonly string[]): Problem[] {
  if (name !== undefined && names.includes(name)) return [];
  const what = name === undefined ? "a socket without a name" : `no socket is named "${name}"`;
  if (names.length === 0) return [{ code: "unknown-socket", what: `${what}: the definition has none` }];
  const near = name === undefined ? undefined : suggest(name, names);
  const mend = near ? `did you mean "${near}"?` : `write one of them in front, for example --socket ${names[0]}=8080`;
  return [{ code: "unknown-socket", what: `${what}: the definition's are ${names.join(", ")}`, mend }];
}

/** `--socket` may stand several times: a socket may have several addresses. */
export function doubleProblems(name: string, places: number, ports: number): Problem[] {
  if (ports + Math.min(places, 1) < 2) return [];
  const options = places > 0 ? "both --socket and --port" : "--port twice";
  return [{ code: "invalid-option", what: `the socket "${name}" has ${options}`, mend: "leave one of them out" }];
}

/** The program reads connections or datagrams, whatever is said here. */
export function kindProblems({ name, listen }: ServiceSocket, elsewhere: readonly Address[]): Problem[] {
  const isUdp = listen[0]!.type === "udp";
  const other = elsewhere.find(({ type }) => (type === "udp") !== isUdp);
  if (!other) return [];
  const [takes, not] = isUdp ? ["datagrams", "connections"] : ["connections", "datagrams"];
  const right = other.type === "unix" ? "udp:8125" : formatAddress({ ...other, type: isUdp ? "udp" : "tcp" });
  const what = `the socket "${name}" takes ${takes}, and ${formatAddress(other)} is for ${not}`;
  return [{ code: "invalid-option", what, mend: `write --socket ${name}=${right}` }];
}

/** Under one name a program expects one kind. */
export function mixtureProblems(wanted: readonly WantedSocket[]): Problem[] {
  const names = new Set(wanted.map(({ name }) => name).filter((name) => name !== UNNAMED));
  return [...names].flatMap((name) => {
    const all = wanted.flatMap((socket) => (socket.name === name ? socket.listen : []));
    const datagrams = all.filter(({ address }) => address.type === "udp").length;
    if (datagrams === 0 || datagrams === all.length) return [];
    const what = `the socket "${name}" mixes UDP with addresses for connections, which no server takes both`;
    return [{ code: "invalid-option", what, mend: "give each a name of its own" }];
  });
}

/** Only beside what was said here: the definition's own addresses are judged with it. */
export function overlapProblems(wanted: readonly WantedSocket[]): Problem[] {
  const all = wanted.flatMap(({ name, listen }) => listen.map((one) => ({ name, ...one })));
  return all.flatMap((later, index) => {
    const earlier = all.slice(0, index).find((one) => clash(one, later));
    if (!earlier) return [];
    const what = `two sockets want one address: ${show(earlier)} and ${show(later)}`;
    return [{ code: "address-taken", what, mend: "give one of them another port or path" }];
  });
}

// --- internal ---

function clash(one: WantedAddress, other: WantedAddress): boolean {
  if (one.address.type === "unix" && other.address.type === "unix") {
    // One of the definition goes elsewhere.
    if (!one.isExplicit || !other.isExplicit) return false;
    return resolve(one.address.path) === resolve(other.address.path);
  }
  if (!one.isExplicit && !other.isExplicit) return false;
  return !isAnyPort(one.address) && overlap(one.address, other.address);
}

function isAnyPort(address: Address): boolean {
  return address.type !== "unix" && address.port === 0;
}

function show({ name, address }: WantedAddress & { readonly name: string }): string {
  return name === UNNAMED ? formatAddress(address) : `"${name}" on ${formatAddress(address)}`;
}
