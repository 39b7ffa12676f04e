/** One datagram socket of the program. What waits in the kernel when it ends is the next process's, if the manager keeps the socket. */
import type { Socket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { bindTo } from "./listen.ts";
import type { Served, Traffic } from "./served.ts";

export function serveDatagrams(datagrams: Socket, { touch }: Traffic): Served {
  let open = false;
  let last = 0;
  datagrams.prependListener("message", () => {
    last = performance.now();
    touch();
  });
  datagrams.once("close", () => {
    open = false;
  });

  function close(): void {
    if (!open) return;
    datagrams.close();
    // An answer that comes too late would be thrown at a program which can do nothing about it.
    datagrams.send = (...args: unknown[]) => {
      const callback = args.at(-1);
      if (typeof callback === "function") process.nextTick(callback, new Error("the socket has been closed by drain"));
    };
  }

  return {
    async listen(sockets) {
      await bindTo(datagrams, sockets[0]!);
      open = true;
    },
    stopAccepting: close,
    isBusy: () => false,
    // Node cannot cease to receive and still send. So it goes on until there is a pause, in which answers get out.
    async drain(deadline) {
      const end = performance.now() + Math.min(deadline, MOST);
      // The pause is to be one of this process: it may have stood still since the last.
      if (last > 0) last = performance.now();
      while (open && performance.now() < end && performance.now() - last < PAUSE) await sleep(PAUSE / 4);
      close();
    },
  };
}

// --- internal ---

// Milliseconds.
const PAUSE = 100;
const MOST = 1000;
