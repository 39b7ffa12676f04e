import type { Manager } from "../../systemd/notify.ts";

/**
 * Tells the manager that the event loop turns: from the loop itself, so that a blocked one falls silent and the manager
 * ends it (sd_watchdog_enabled(3) advises half of the interval).
 */
export function keepWatchdog(manager: Manager): void {
  if (manager.watchdog === undefined) return;
  const interval = Math.min(Math.max(1, manager.watchdog / 2), LONGEST);
  setInterval(() => manager.tell("WATCHDOG=1"), interval).unref();
}

// --- internal ---

/** Milliseconds, of a timer of Node's: a longer one goes off at once, and again and again. */
const LONGEST = 2 ** 31 - 1;
