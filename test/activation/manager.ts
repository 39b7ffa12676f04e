/** A service manager's notify socket, with what has come to it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { holdSocket, receiveWithDescriptors } from "../helpers/passed-socket.ts";

export interface Received {
  readonly message: string;
  readonly fds: readonly number[];
}

export interface NotifySocket {
  /** For the environment: NOTIFY_SOCKET. */
  readonly path: string;
  /** The next message; waits for it. */
  next(): Promise<Received>;
  /** All that has come, in order. */
  rest(): string[];
}

/** Gone after the tests of the file. */
export function openNotifySocket(): NotifySocket {
  const folder = mkdtempSync(join(tmpdir(), "rouse-manager-"));
  const path = join(folder, "notify.sock");
  const socket = holdSocket({ path, type: "datagram" });
  after(() => {
    socket.close();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    async next() {
      for (;;) {
        const received = receiveWithDescriptors(socket);
        if (received) return received;
        await sleep(5);
      }
    },
    rest() {
      const messages: string[] = [];
      for (let one = receiveWithDescriptors(socket); one; one = receiveWithDescriptors(socket))
        messages.push(one.message);
      return messages;
    },
  };
}
