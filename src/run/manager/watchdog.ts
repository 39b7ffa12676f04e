import type { RunEvent } from "../events.ts";

/** The manager's side of sd_notify(3)'s watchdog: tells when a sign of life stays out, and when one comes again. Times are milliseconds. */
export interface Watchdog {
  /** A new process: nothing is due before it is ready. */
  reset(): void;
  /** READY=1: from now on a sign is due. */
  ready(pid: number): void;
  /** WATCHDOG=1. */
  ping(pid: number): void;
  /** WATCHDOG=trigger. */
  miss(pid: number): void;
  /** WATCHDOG_USEC=; 0: none is due any more. */
  change(pid: number, interval: number): void;
  /** EXTEND_TIMEOUT_USEC=: the next sign is not due before that time is over. */
  extend(pid: number, time: number): void;
  stop(): void;
}

/** @param configured within which a sign is due; undefined: none is */
export function createWatchdog(configured: number | undefined, emit: (event: RunEvent) => void): Watchdog {
  let interval = configured;
  let timer: NodeJS.Timeout | undefined;
  /** performance.now() */
  let due = 0;
  let lastSign = performance.now();
  let wasKept = false;

  function expect(pid: number, time: number): void {
    stop();
    due = performance.now() + time;
    timer = setTimeout(miss, time, pid).unref();
  }

  function miss(pid: number): void {
    stop();
    wasKept = false;
    emit({ event: "watchdog", pid, kept: false, ms: performance.now() - lastSign });
  }

  function sign(pid: number, isPing: boolean): void {
    if (!interval) return;
    const now = performance.now();
    if (isPing && !wasKept) emit({ event: "watchdog", pid, kept: true, ms: now - lastSign });
    wasKept = isPing;
    lastSign = now;
    expect(pid, interval);
  }

  function stop(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    reset() {
      stop();
      interval = configured;
      wasKept = false;
    },
    ready: (pid) => sign(pid, false),
    ping: (pid) => sign(pid, true),
    miss,
    change(pid, now) {
      const wasDue = timer !== undefined;
      stop();
      interval = now;
      if (wasDue && now > 0) expect(pid, now);
    },
    extend(pid, time) {
      if (timer !== undefined && due < performance.now() + time) expect(pid, time);
    },
    stop,
  };
}
