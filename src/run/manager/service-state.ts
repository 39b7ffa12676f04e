import { closeSync } from "node:fs";
import type { Problem } from "../../problem.ts";
import type { RunEvent } from "../events.ts";
import type { Child } from "../processes/child.ts";
import type { Passed } from "../processes/hand-over.ts";
import { createDescriptorStore } from "./descriptor-store.ts";
import type { Notification } from "./notify-socket.ts";
import { createWatchdog } from "./watchdog.ts";

/** What one service has told its manager of itself, as far as a manager acts on it. */
export interface ServiceState {
  /** A new main process. */
  begin(child: Child): void;
  /** Descriptors that the program gave to keep, to be passed on after the sockets. */
  readonly stored: readonly Passed[];
  receive(notification: Notification): void;
  /** The main process has ended; where the service is not to be started again, what it has stored goes. */
  end(discard: boolean): void;
  /** Milliseconds for which a process has asked (EXTEND_TIMEOUT_USEC=) and that are still left, where it did so since then. */
  extension(pid: number, since: number): number;
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
  let hasWarned = false;
  const store = createDescriptorStore();
  const dog = createWatchdog(watchdog, emit);
  /** performance.now() of the asking, and of the time asked for. */
  const extensions = new Map<number, readonly [at: number, until: number]>();

  const tellStored = (pid: number, name: string): void =>
    emit({ event: "stored", pid, name, count: store.kept.length });

  return {
    get stored() {
      return store.kept;
    },
    begin(next) {
      child = next;
      ready = false;
      reloadingSince = undefined;
      dog.reset();
    },
    extension(pid, since) {
      const [at, until] = extensions.get(pid) ?? [0, 0];
      return at >= since ? until - performance.now() : 0;
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
        if (message.MONOTONIC_USEC === undefined && !hasWarned) {
          hasWarned = true;
          emit({ event: "warning", problem: reloadWithoutTime(pid) });
        }
        emit({ event: "reloading", pid });
      }
      if (message.READY === "1") {
        if (reloadingSince !== undefined) emit({ event: "reloaded", pid, ms: now - reloadingSince });
        else if (!ready) emit({ event: "ready", pid, ms: now - (child?.since ?? now) });
        ready = true;
        reloadingSince = undefined;
        dog.ready(pid);
      }
      if (message.STOPPING === "1") emit({ event: "stopping", pid });
      const [interval, extension] = [message.WATCHDOG_USEC, message.EXTEND_TIMEOUT_USEC].map(milliseconds);
      if (interval !== undefined) dog.change(pid, interval);
      if (extension !== undefined) {
        extensions.set(pid, [now, now + extension]);
        dog.extend(pid, extension);
      }
      if (message.WATCHDOG === "1") dog.ping(pid);
      if (message.WATCHDOG === "trigger") dog.miss(pid);
      if (message.STATUS) emit({ event: "status", pid, text: message.STATUS });
    },
    end(isOver) {
      dog.stop();
      ready = false;
      if (isOver) store.clear();
    },
  };
}

// --- internal ---

function reloadWithoutTime(pid: number): Problem {
  return {
    code: "reload-without-time",
    what: `process ${pid} tells RELOADING=1 without MONOTONIC_USEC: a systemd with Type=notify-reload (253 and later) overlooks it, and \`systemctl reload\` fails when its time is over`,
    mend: "send MONOTONIC_USEC= in the same message: CLOCK_MONOTONIC in microseconds (sd_notify(3))",
  };
}

/** Of microseconds, as sd_notify(3) has all times. */
function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text) / 1000, LONGEST) : undefined;
}

/** That a timer of Node takes. */
const LONGEST = 0x7fffffff;
