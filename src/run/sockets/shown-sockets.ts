import type { ShownSocket } from "../events.ts";
import { descriptorOf } from "../processes/hand-over.ts";
import type { HandOver, OpenSocket } from "../sockets.ts";

/** What a person is told of the sockets: where a client finds each, and on which descriptor the program does. */
export function shownSockets(
  as: HandOver,
  sockets: readonly OpenSocket[],
  perConnection: { readonly onStdin: boolean },
): ShownSocket[] {
  const shared = sockets.filter(({ accept }) => accept === undefined);
  return sockets.map((socket) => {
    const accept = socket.accept === "connection";
    const onStdin = as === "inetd" || (accept && (as === "launchd" || (as === "systemd" && perConnection.onStdin)));
    const { name, url, address, insteadOf, type } = socket;
    const descriptor = descriptorOf(as, accept ? 0 : shared.indexOf(socket), onStdin);
    return { name, url, address, insteadOf, type, descriptor, accept };
  });
}
