import { constants, networkInterfaces } from "node:os";
import { UNNAMED } from "../../../../systemd/listen-fds.ts";
import { formatAddress } from "../../../activation/address.ts";
import type { Problem } from "../../../problem.ts";
import { findHolder, type Holder } from "./holder.ts";
import type { NetworkAddress } from "./network.ts";
import { problemOf, systemWords, type Wish } from "./opened.ts";

/** Why an address could not be opened. `free` finds a port that could be had instead. */
export function networkProblem(
  wish: Wish,
  address: NetworkAddress,
  errno: number,
  free: () => number | undefined,
): Problem {
  const shown = formatAddress(address);
  if (errno === EADDRINUSE) return inUse(wish, address, free());
  if (errno === EACCES && address.port > 0) return denied(wish, address, free());
  if (errno === EAFNOSUPPORT) return withoutIpv6(wish, address);
  if (errno === EADDRNOTAVAIL || errno === ENODEV) {
    const isIpv6 = address.host?.includes(":");
    const here = localHosts().filter((host) => host.includes(":") === isIpv6);
    if (isIpv6 && here.length === 0) return withoutIpv6(wish, address);
    const what = `${shown} cannot be listened on: ${address.host} is no address of this machine`;
    return problemOf(
      wish,
      "address-not-here",
      what,
      `its addresses are ${here.join(", ")}; ${portAlone(wish, address)}`,
    );
  }
  return problemOf(wish, "cannot-listen", `${shown} cannot be listened on: ${systemWords(errno)}`);
}

/** It is bound all the same (IP_FREEBIND), as the unit has it. */
export function nobodyReaches(wish: Wish, address: NetworkAddress): Problem {
  const what = `${address.host} is no address of this machine (now): nobody reaches the socket "${wish.socket.name}" there`;
  return problemOf(wish, "address-not-here", what, portAlone(wish, address));
}

// --- internal ---

const { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ENODEV } = constants.errno;

function inUse(wish: Wish, address: NetworkAddress, free: number | undefined): Problem {
  const holder = findHolder(address, wish.platform);
  const udp = address.type === "udp" ? "UDP port" : "port";
  const what = `${udp} ${address.port} is in use${holder ? `: ${describe(holder)}` : ""}`;
  const end = holder?.pid === 1 ? "stop the .socket unit that has it (systemctl list-sockets)" : "end that process";
  return problemOf(wish, "port-in-use", what, `${end}, or ${elsewhere(wish, address, free)}`);
}

function describe({ pid, command, uid, address, others }: Holder): string {
  const place = formatAddress(address).replace(/^udp:/, "");
  if (pid === undefined) {
    const user = uid === 0 ? "root" : `the user ${uid}`;
    return `a process of ${user} has ${place} (only that user and root can see which)`;
  }
  const more = others > 0 ? ` and ${others} more` : "";
  return `${command ?? "a process"} (pid ${pid}${more}) has ${place}`;
}

function denied(wish: Wish, address: NetworkAddress, free: number | undefined): Problem {
  const what = `port ${address.port} needs more rights than this user has`;
  const allow =
    wish.platform === "linux"
      ? `, or allow it to everybody: sudo sysctl net.ipv4.ip_unprivileged_port_start=${address.port}`
      : "";
  return problemOf(wish, "port-denied", what, `${elsewhere(wish, address, free)}${allow}`);
}

function withoutIpv6(wish: Wish, address: NetworkAddress): Problem {
  const what = `${formatAddress(address)} cannot be listened on: this machine has no IPv6`;
  const host = address.host === "::1" ? "127.0.0.1" : "0.0.0.0";
  return problemOf(wish, "no-ipv6", what, `listen on ${formatAddress({ ...address, host })} instead`);
}

/** What to write to have another port. */
function elsewhere({ socket, isExplicit }: Wish, address: NetworkAddress, free: number | undefined): string {
  if (free === undefined) return "choose another port";
  const { name, listen } = socket;
  if (name === UNNAMED) return `choose another port, for example ${free}`;
  const ports = new Set(listen.flatMap((one) => (one.address.type === "unix" ? [] : [one.address.port])));
  if (!isExplicit && ports.size === 1) return `choose another port: --port ${name}=${free}`;
  const moved = listen.map((one) => (one.address === address ? { ...address, port: free } : one.address));
  return `choose another port: ${moved.map((one) => `--socket ${name}=${formatAddress(one)}`).join(" ")}`;
}

function portAlone({ socket }: Wish, { type, port }: NetworkAddress): string {
  const every = formatAddress({ type, host: undefined, port });
  return `for every address of the machine write --socket ${socket.name === UNNAMED ? "NAME" : socket.name}=${every}`;
}

function localHosts(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
