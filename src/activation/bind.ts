/** The source "bind": nothing was passed, so the program binds the fallback's addresses itself. */
import { parseAddress } from "./address.ts";
import { ActivationError } from "./error.ts";
import { boundSocket, type OwnedSocket } from "./passed-socket.ts";

/** As in the definition: 8080, "127.0.0.1:8080", "[::1]:8080", "unix:./app.sock", "udp:8125". Port 0: any free one. */
export type AddressInput = string | number;

/** Names, and where each is bound when nothing was passed. */
export type Fallback<N extends string> = { readonly [K in N]?: AddressInput | readonly AddressInput[] | undefined };

/**
 * Gives the sockets that the fallback names; nothing is bound yet.
 * @throws {ActivationError} bad-fallback
 */
export function socketsFromFallback(fallback: Fallback<string>): readonly OwnedSocket[] {
  return Object.entries(fallback).flatMap(([name, input]) => [input ?? []].flat().map((text) => read(name, text)));
}

// --- internal ---

function read(name: string, input: AddressInput): OwnedSocket {
  try {
    return boundSocket(name, parseAddress(input));
  } catch (cause) {
    const what = `fallback "${name}": ${(cause as Error).message}`;
    throw new ActivationError("bad-fallback", what, "Mend it where activate is called", cause);
  }
}
