import { formatAddress, parseAddress } from "../activation/address.ts";
import type { Problem } from "../problem.ts";
import type { Address, ServiceSocket } from "../service.ts";
import { overlap } from "./collisions.ts";
import type { SocketDefinition } from "./definition.ts";

/** The address that the program itself listens on, whose listen call is to receive the socket; undefined where there is none, or none that could. */
export function resolveAdoption(
  name: string,
  { adopt }: SocketDefinition,
  listen: readonly Address[],
  problems: Problem[],
): Address | undefined {
  if (adopt === undefined) return undefined;
  const refuse = (what: string, mend?: string): undefined => {
    const where = { key: `sockets.${name}.adopt` };
    problems.push({ code: "invalid-address", what, where, ...(mend !== undefined && { mend }) });
  };
  let address: Address;
  try {
    address = parseAddress(adopt);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refuse(error.message);
  }
  if (address.type !== "unix" && address.port === 0) {
    return refuse("port 0 is any free port, and does not tell which listen call is meant", "give the program a port");
  }
  if (listen.length > 0 && isDatagram(address) !== listen.some(isDatagram)) {
    const [own, other] = isDatagram(address) ? ["datagrams", "connections"] : ["connections", "datagrams"];
    return refuse(`a program that listens for ${own} cannot take a socket for ${other}`, kindMend(address));
  }
  return address;
}

/** One listen call can receive one socket. */
export function adoptionClashes(sockets: readonly ServiceSocket[]): Problem[] {
  return sockets.flatMap(({ name, adopt }, index) => {
    const earlier = adopt && sockets.slice(0, index).find((other) => other.adopt && overlap(other.adopt, adopt));
    if (!earlier) return [];
    return [
      {
        code: "address-taken",
        what: `"${earlier.name}" and "${name}" adopt one address of the program, ${formatAddress(adopt)}`,
        where: { key: `sockets.${name}.adopt` },
        mend: "name each listen call once; a socket may have a list of addresses for it",
      },
    ];
  });
}

// --- internal ---

const isDatagram = ({ type }: Address): boolean => type === "udp";

function kindMend(address: Address): string {
  if (address.type === "unix") return "give it a socket of another name, for connections";
  return `write "${formatAddress({ ...address, type: isDatagram(address) ? "tcp" : "udp" })}" if that is what it does`;
}
