import { isIPv4 } from "node:net";
import { formatAddress } from "../activation/address.ts";
import type { Problem } from "../problem.ts";
import type { Address, ServiceSocket } from "../service.ts";

/** The kernel refuses the second listener on an address (EADDRINUSE), also where one of the two is a wildcard. */
export function collisions(sockets: readonly ServiceSocket[]): Problem[] {
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

/** Whether one process could not listen on both. */
export function overlap(a: Address, b: Address): boolean {
  if (a.type === "unix" || b.type === "unix") return a.type === "unix" && b.type === "unix" && a.path === b.path;
  if (a.type !== b.type || a.port !== b.port) return false;
  return canonical(a.host) === canonical(b.host) || covers(a.host, b.host) || covers(b.host, a.host);
}

// --- internal ---

/** An IPv6 address has many spellings; URL writes the short one. One with a zone stands for itself. */
function canonical(host: string | undefined): string | undefined {
  return host?.includes(":") && !host.includes("%") ? new URL(`http://[${host}]`).hostname : host;
}

function covers(wildcard: string | undefined, host: string | undefined): boolean {
  if (wildcard === undefined || canonical(wildcard) === "[::]") return true;
  return wildcard === "0.0.0.0" && (host === undefined || isIPv4(host));
}
