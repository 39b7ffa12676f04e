import { closeSync } from "node:fs";
import { formatAddress } from "../../activation/address.ts";
import { type Problem, RouseError } from "../../problem.ts";
import type { Address } from "../../service.ts";
import type { OpenSocket, WantedSocket } from "../sockets.ts";
import { openNetwork } from "./open/network.ts";
import type { Opened, Wish } from "./open/opened.ts";
import { openUnix } from "./open/unix.ts";
import { socketUrl } from "./open/url.ts";

export interface OpenOptions {
  /** Where the unix sockets of the definition go: it is there, and only this user's. */
  readonly folder: string;
  readonly platform: NodeJS.Platform;
}

/**
 * Opens every address, each a socket of its own, in the order in which they are wanted; blocking, and closed on exec. All or
 * nothing, but for optional sockets: what is wrong with those is among the problems, as is what is not quite as it was asked for.
 * Needs node:ffi, and the main thread (it sets the umask for a moment).
 * @throws {RouseError} with everything that is in the way; then nothing is open, and nothing is left on disk
 */
export function openSockets(
  wanted: readonly WantedSocket[],
  options: OpenOptions,
): { readonly sockets: OpenSocket[]; readonly problems: Problem[] } {
  const sockets: OpenSocket[] = [];
  const [problems, fatal]: [Problem[], Problem[]] = [[], []];
  try {
    for (const wish of wishes(wanted, options)) {
      const opened = open(wish);
      if ("fd" in opened) {
        sockets.push(toSocket(wish, opened));
        problems.push(...opened.warnings);
      } else (wish.socket.optional ? problems : fatal).push(opened);
    }
    if (fatal.length > 0) throw new RouseError(fatal);
    return { sockets, problems };
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
}

// --- internal ---

function wishes(wanted: readonly WantedSocket[], options: OpenOptions): Wish[] {
  const all = wanted.flatMap((socket) => socket.listen.map((one) => ({ ...one, ...options, socket })));
  return all.map((wish) => ({ ...wish, others: all.filter((one) => one !== wish).map(({ address }) => address) }));
}

function open(wish: Wish): Opened | Problem {
  const { address } = wish;
  return address.type === "unix" ? openUnix(wish, address.path) : openNetwork(wish, address);
}

function toSocket({ socket, address: asked, isExplicit }: Wish, { fd, address, remove }: Opened): OpenSocket {
  const { name, accept, limits, scheme } = socket;
  const isElsewhere = !isExplicit && formatAddress(address) !== formatAddress(asked);
  const insteadOf: Address | undefined = isElsewhere ? asked : undefined;
  let isOpen = true;
  return {
    name,
    fd,
    type: address.type === "udp" ? "datagram" : "stream",
    address,
    insteadOf,
    url: socketUrl({ name, address, insteadOf, scheme }),
    accept,
    limits,
    close() {
      if (!isOpen) return;
      isOpen = false;
      closeSync(fd);
      try {
        remove();
      } catch {
        // No longer ours to remove.
      }
    },
  };
}
