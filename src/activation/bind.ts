/** The source "bind": nothing was passed, so the program binds the fallback's addresses itself. */
import { type Address, parseAddress } from "./address.ts";
import { backlogOf } from "./backlog.ts";
import { ActivationError } from "./error.ts";
import { OwnedSocket, type PassedSocket } from "./passed-socket.ts";

/** As in the definition: 8080, "127.0.0.1:8080", "[::1]:8080", "unix:./app.sock". Port 0: any free one. */
export type AddressInput = string | number;

/** Names and where each is bound when nothing was passed. */
export type Fallback<N extends string> = { readonly [K in N]?: AddressInput | readonly AddressInput[] | undefined };

/**
 * Gives the sockets that the fallback names; nothing is bound yet.
 * @throws {ActivationError} bad-fallback, unsupported-socket
 */
export function socketsFromFallback(fallback: Fallback<string>): readonly OwnedSocket[] {
  return Object.entries(fallback).flatMap(([name, input]) =>
    [input ?? []].flat().map((text) => {
      const address = readAddress(name, text);
      return new OwnedSocket({ name, fd: undefined, family: familyOf(address), address, backlog: backlogOf(name) });
    }),
  );
}

// --- internal ---

function readAddress(name: string, input: AddressInput): Address {
  let address: Address;
  try {
    address = parseAddress(input);
  } catch (cause) {
    throw new ActivationError(
      "bad-fallback",
      `fallback "${name}": ${(cause as Error).message}`,
      `Give activate({ fallback: { ${name}: ... } }) an address like 8080 or "127.0.0.1:8080"`,
      { cause },
    );
  }
  if (address.type !== "udp") return address;
  throw new ActivationError(
    "unsupported-socket",
    `fallback "${name}": "${input}" is a datagram socket, which Rouse does not serve yet`,
    "Give a stream address, TCP or unix",
  );
}

function familyOf(address: Address): PassedSocket["family"] {
  if (address.type === "unix") return "unix";
  return address.host?.includes(":") === false ? "ipv4" : "ipv6";
}
