import { closeSync } from "node:fs";
import type { Child } from "./child.ts";
import { createDescriptorStore } from "./descriptor-store.ts";
import type { RunEvent } from "./events.ts";
import type { Passed } from "./hand-over.ts";
import type { Notification } from "./notify-socket.ts";

/** What one service has told its manager of itself, as far as a manager acts on it. */
export interface ServiceState {
  /** A new main process. */
  begin(child: Child): void;
  /** Descriptors that the program gave to keep, to be passed on after the sockets. */
  readonly stored: readonly Passed[];
  receive(notification: Notification): void;
  /** The main process has ended; where the service is not to be started again, what it has stored goes. */
  end(discard: boolean): void;
  readonly isReady: boolean;
}

/**
 * Follows sd_notify(3) and systemd.service(5), NotifyAccess=main. It kills nobody: a debugger that halts the program would
 * else be its end.
 * @param watchdog milliseconds within which a sign of life is due; undefined: none is
 */
export function createServiceState(watchdog: number | undefined, emit: (event: RunEvent) => void): ServiceState {
  let child: Child | undefined;
  let ready = false;
  let reloadingSince: number | undefined;
  const store = createDescriptorStore();
  let timer: NodeJS.Timeout | undefined;
  let lastSign = performance.now();
  let wasKept = false;

  /** From READY=1 on a sign is due. */
  function signOfLife(pid: number, isPing: boolean): void {
    if (watchdog === undefined) return;
    const now = performance.now();
    if (isPing && !wasKept) emit({ event: "watchdog", pid, kept: true, ms: now - lastSign });
    wasKept = isPing;
    lastSign = now;
    clearTimeout(timer);
    timer = setTimeout(() => {
      wasKept = false;
      emit({ event: "watchdog", pid, kept: false, ms: performance.now() - lastSign });
    }, watchdog);
    timer.unref();
  }

  const tellStored = (pid: number, name: string): void =>
    emit({ event: "stored", pid, name, count: store.kept.length });

  return {
    get stored() {
      return store.kept;
    },
    get isReady() {
      return ready;
    },
    begin(next) {
      child = next;
      ready = false;
      reloadingSince = undefined;
      wasKept = false;
    },
    receive({ pid, message, fds }) {
      const now = performance.now();
      if (message.FDSTORE === "1") tellStored(pid, store.add(fds, message));
      // A barrier's descriptor is closed when what came before it has been read: now.
      else for (const fd of fds) closeSync(fd);
      if (message.FDSTOREREMOVE === "1" && message.FDNAME !== undefined) {
        store.remove(message.FDNAME);
        tellStored(pid, message.FDNAME);
      }
      if (message.RELOADING === "1") {
        reloadingSince = now;
        emit({ event: "reloading", pid });
      }
      if (message.READY === "1") {
        if (reloadingSince !== undefined) emit({ event: "reloaded", pid, ms: now - reloadingSince });
        else if (!ready) emit({ event: "ready", pid, ms: now - (child?.since ?? now) });
        ready = true;
        reloadingSince = undefined;
        signOfLife(pid, false);
      }
      if (message.STOPPING === "1") emit({ event: "stopping", pid });
      if (message.WATCHDOG === "1") signOfLife(pid, true);
      if (message.STATUS) emit({ event: "status", pid, text: message.STATUS });
    },
    end(isOver) {
      clearTimeout(timer);
      ready = false;
      if (isOver) store.clear();
    },
  };
}
