/** Waits for listeners to have a connection without accepting it, which Node's event loop cannot: a thread blocks in poll(2). */
import { closeSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { openPair } from "../../activation/ffi-share.ts";
import { type Problem, RouseError } from "../../problem.ts";
import { pollReadable } from "./system-calls.ts";

export interface Poller {
  /** Calls `ready` once, when the descriptor is readable. What it gives cancels that. Keeps no process alive. */
  once(fd: number, ready: () => void): () => void;
  close(): void;
}

/** @param failed told when the thread is no more */
export function createPoller(failed: (error: unknown) => void): Poller {
  const pair = openPair();
  if (!pair) throw new RouseError(noThread({ message: "no socket pair" }));
  const [ours, theirs] = pair;
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./poller-worker.${extension}`, import.meta.url), {
    workerData: { wake: theirs },
    // What a debugger was asked to do is about the program.
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  worker.unref();
  const waiting = new Map<number, Set<() => void>>();
  let isClosed = false;
  let isEnded = false;

  function tell(fds: readonly number[] | undefined): void {
    if (isClosed || isEnded) return;
    worker.postMessage(fds);
    writeSync(ours, "!");
  }

  worker.on("message", (fds: readonly number[]) => {
    // A number may meanwhile stand for another socket.
    const readable = pollReadable(fds, 0);
    for (const fd of fds) {
      if (!readable.has(fd)) continue;
      const callbacks = waiting.get(fd) ?? [];
      waiting.delete(fd);
      for (const ready of callbacks) ready();
    }
    tell([...waiting.keys()]);
  });
  worker.on("error", (error) => {
    failed(new RouseError(noThread(error as NodeJS.ErrnoException), { cause: error }));
  });

  const poller: Poller = {
    once(fd, ready) {
      waiting.set(fd, (waiting.get(fd) ?? new Set()).add(ready));
      tell([...waiting.keys()]);
      return () => {
        waiting.get(fd)?.delete(ready);
        if (waiting.get(fd)?.size !== 0) return;
        waiting.delete(fd);
        tell([...waiting.keys()]);
      };
    },
    close() {
      process.off("exit", poller.close);
      if (isClosed) return;
      tell(undefined);
      isClosed = true;
      const close = (): void => pair.forEach((fd) => void closeSync(fd));
      if (isEnded) close();
      else worker.once("exit", close);
    },
  };
  worker.once("exit", () => {
    isEnded = true;
  });
  // Node waits for its threads, and one that blocks in poll(2) would never end.
  process.once("exit", poller.close);
  return poller;
}

// --- internal ---

function noThread({ message }: { readonly message: string }): Problem {
  return {
    code: "no-thread",
    what: `connections cannot be waited for: ${message}`,
    mend: "allow more open files and processes: ulimit -n, ulimit -u",
  };
}
