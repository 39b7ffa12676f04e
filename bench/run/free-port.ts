import { holdSocket } from "../../test/helpers/passed-socket.ts";

/** Of 127.0.0.1. Nobody else asks for ports while a bench runs. */
export function freePort(): number {
  const socket = holdSocket();
  socket.close();
  return socket.port;
}
