import { getSystemErrorMap } from "node:util";
import type { Problem } from "../../../problem.ts";
import type { Address } from "../../../service.ts";
import type { WantedAddress, WantedSocket } from "../../sockets.ts";

/** One address of a socket that has been opened. */
export interface Opened {
  readonly fd: number;
  /** In truth. */
  readonly address: Address;
  /** What is not as it was asked for. */
  readonly warnings: readonly Problem[];
  /** Takes away what the opening has made on disk. */
  readonly remove: () => void;
}

/** One address that is to be opened, and what is around it. */
export interface Wish extends WantedAddress {
  readonly socket: WantedSocket;
  /** What the other sockets want: nothing is mapped onto it. */
  readonly others: readonly Address[];
  /** Where unix sockets of the definition go. */
  readonly folder: string;
  readonly platform: NodeJS.Platform;
}

/** A problem has its place in the definition, unless the address was said on the command line. */
export function problemOf(wish: Wish, code: string, what: string, mend?: string): Problem {
  const where = wish.isExplicit ? {} : { where: { key: `sockets.${wish.socket.name}` } };
  return { code, what, ...where, ...(mend !== undefined && { mend }) };
}

/** What the system says, where nobody has put it in better words. */
export function systemWords(errno: number): string {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "failed"];
  return `${text} (${code})`;
}
