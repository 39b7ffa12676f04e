import { after } from "node:test";
import { type HeldSocket, type HeldSocketOptions, holdSocket } from "../helpers/passed-socket.ts";

const held: HeldSocket[] = [];

after(() => {
  for (const socket of held) socket.close();
});

/** As holdSocket; closed after the tests of the file. */
export function hold(options: HeldSocketOptions = {}): HeldSocket {
  const socket = holdSocket(options);
  held.push(socket);
  return socket;
}
