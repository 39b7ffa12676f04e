import { closeSync } from "node:fs";
import { constants } from "node:os";
import { type Failed, isWithoutIpv6 } from "../../../activation/ffi-share.ts";
import { overlap } from "../../../definition/collisions.ts";
import type { Problem } from "../../../problem.ts";
import type { Address } from "../../../service.ts";
import { makeListener, portOf } from "./listener.ts";
import { networkProblem, nobodyReaches } from "./network-problems.ts";
import type { Opened, Wish } from "./opened.ts";

export type NetworkAddress = Exclude<Address, { type: "unix" }>;

/** Opens a TCP or UDP address. A port of the definition that this user may not have becomes the one 8000 higher, or any free one. */
export function openNetwork(wish: Wish, address: NetworkAddress): Opened | Problem {
  const result = bindAt(wish, address);
  if ("fd" in result) return result;
  const instead = result.errno === EACCES && !wish.isExplicit ? openFree(wish, address, [address.port + 8000]) : result;
  if ("fd" in instead) return instead;
  return networkProblem(wish, address, result.errno, () => findFreePort(wish, address));
}

// --- internal ---

const { EACCES, EADDRNOTAVAIL } = constants.errno;

/** How often the kernel may choose a port that another socket of this run wants. */
const TRIES = 20;

function bindAt(wish: Wish, address: NetworkAddress): Opened | Failed {
  if (address.host !== undefined) return bindOne(wish, address, address);
  // Every address; those of IPv4 where the machine has no IPv6 (systemd.socket(5), ListenStream=).
  const result = bindOne(wish, { ...address, host: "::" }, address);
  const ipv4 = { ...address, host: "0.0.0.0" };
  return "errno" in result && isWithoutIpv6(result.errno) ? bindOne(wish, ipv4, ipv4) : result;
}

function bindOne(wish: Wish, address: NetworkAddress, shown: NetworkAddress): Opened | Failed {
  const { backlog, noDelay } = wish.socket;
  const options = { backlog, noDelay, freeBind: false };
  const first = makeListener(address, options);
  const isAbsent = "errno" in first && first.errno === EADDRNOTAVAIL && wish.platform === "linux";
  const result = isAbsent && mayBeAbsent(wish) ? makeListener(address, { ...options, freeBind: true }) : first;
  if ("errno" in result) return result;
  const warnings = isAbsent ? [nobodyReaches(wish, shown)] : [];
  return { fd: result.fd, address: { ...shown, port: portOf(result.fd) }, warnings, remove: () => {} };
}

/** As the unit of the definition has it: a specific address may come up later. One that a person has just typed is more likely wrong. */
function mayBeAbsent(wish: Wish): boolean {
  return wish.socket.freeBind ?? !wish.isExplicit;
}

/** At the first of these ports that is free and that no other socket of this run wants, else at any. */
function openFree(wish: Wish, address: NetworkAddress, ports: readonly number[]): Opened | Failed {
  for (const port of [...ports, ...Array<number>(TRIES).fill(0)]) {
    if (port > 65535) continue;
    const result = bindAt(wish, { ...address, port });
    if ("errno" in result) {
      if (port === 0) return result;
    } else if (!isWanted(wish, result.address)) return result;
    else closeSync(result.fd);
  }
  return { errno: EACCES };
}

function isWanted({ others }: Wish, address: Address): boolean {
  return others.some((other) => overlap(other, address));
}

/** One that could be had now, for a person to choose. */
function findFreePort(wish: Wish, address: NetworkAddress): number | undefined {
  const { port } = address;
  const next = Array.from({ length: 20 }, (_, index) => port + 1 + index);
  const found = openFree(wish, address, port > 0 && port < 1024 ? [port + 8000] : next);
  if ("errno" in found) return undefined;
  closeSync(found.fd);
  return found.address.type === "unix" ? undefined : found.address.port;
}
