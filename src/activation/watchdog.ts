import type { Manager } from "../../systemd/notify.ts";

/**
 * Tells the manager that the event loop turns: from the loop itself, so that a blocked one falls silent and the manager
 * ends it (sd_watchdog_enabled(3) advises half of the interval).
 */
export function keepWatchdog(manager: Manager): void {
  if (manager.watchdog === undefined) return;
  setInterval(() => manager.tell("WATCHDOG=1"), Math.max(1, manager.watchdog / 2)).unref();
}
