/** The supervisor's end of the pair over which a worker asks for an address to be bound. */
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { BindAnswer, BindRequest } from "./channel.ts";
import { sendDescriptor } from "./ffi-share.ts";

/** Rejects never. */
export type BindHook = (request: BindRequest) => Promise<BindAnswer & { readonly fd?: number }>;

/** Answers until the worker has ended; closes the descriptor then. */
export function serveRequests(fd: number, bind: BindHook): void {
  const socket = new Socket({ fd });
  socket.on("error", () => {}); // Its end comes in any case.
  createInterface(socket).on("line", async (line) => {
    const { fd: bound, ...answer } = await bind(JSON.parse(line));
    // By its own handle it is written to, but that cannot send descriptors.
    if (!socket.destroyed) sendDescriptor(fd, JSON.stringify(answer), bound);
  });
}
