/** SIGHUP, which is what `systemctl reload` sends: the program reads its files again, without ceasing to serve. */
import type { Manager } from "../../systemd/notify.ts";
import { print } from "./report.ts";
import { isProgramsOwn, markOurs } from "./signals.ts";

/** What to do at a reload. It may be asynchronous. */
export type ReloadWork = () => unknown;

export interface Reloader {
  /** Adds work; gives the function that takes it away again. */
  add(work: ReloadWork): () => void;
  /** Takes the signal back. */
  forget(): void;
}

/**
 * Runs all work at each SIGHUP, one reload after the other, between RELOADING=1 and READY=1 (sd_notify(3)). Work that fails is
 * told, and the service goes on as it was. A program that listens for SIGHUP itself keeps it; the manager, which may wait for
 * an answer (Type=notify-reload), gets one all the same.
 * @param isUp whether the service is ready, and not stopping
 * @param always whether to hear the signal also while there is no work: it would end the process otherwise, and a manager
 * sends it to a service that has nothing to reload, too. On a terminal it means that this has been closed.
 */
export function reloadOnHangup(manager: Manager, isUp: () => boolean, always: boolean): Reloader {
  const works = new Set<ReloadWork>();
  let running: Promise<void> = Promise.resolve();

  function hear(): void {
    const due = isProgramsOwn("SIGHUP") ? [] : works;
    running = running.then(() => reload(due));
  }

  async function reload(due: Iterable<ReloadWork>): Promise<void> {
    const told = isUp();
    // sd_notify(3): it has to be the CLOCK_MONOTONIC, which is what hrtime reads.
    if (told) manager.tell("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    let failure: string | undefined;
    for (const work of due) {
      try {
        await work();
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
        print(`warning: reload failed: ${failure}`);
      }
    }
    // STOPPING=1, which may have come meanwhile, is final.
    if (told && isUp()) manager.tell("READY=1", failure !== undefined && `STATUS=reload failed: ${failure}`);
  }

  markOurs(hear);
  if (always) process.on("SIGHUP", hear);
  return {
    add(work) {
      if (works.size === 0 && !always) process.on("SIGHUP", hear);
      works.add(work);
      return () => {
        works.delete(work);
        if (works.size === 0 && !always) process.off("SIGHUP", hear);
      };
    },
    forget: () => process.off("SIGHUP", hear),
  };
}
