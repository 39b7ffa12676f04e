/** Leaves when nobody has come for a while; the manager, which keeps the socket, starts the program again for the next one. */
import { parseDuration } from "./duration.ts";
import { ActivationError } from "./error.ts";

export interface Idle {
  /** Something was received, or a connection has ended. */
  touch(): void;
  stop(): void;
}

/**
 * Calls `leave` when there has been no connection for `milliseconds`. It has to close the listeners in the same tick:
 * who connects after that waits in the manager's socket, who connected before has been seen by isBusy.
 */
export function leaveWhenIdle(milliseconds: number, isBusy: () => boolean, leave: () => void): Idle {
  let last = performance.now();
  const check = () => {
    const left = isBusy() ? milliseconds : last + milliseconds - performance.now();
    if (left <= 0) leave();
    else timer = setTimeout(check, Math.max(1, left)).unref();
  };
  let timer = setTimeout(check, milliseconds).unref();
  return {
    touch() {
      last = performance.now();
    },
    stop: () => clearTimeout(timer),
  };
}

/**
 * Reads "30s", "10m", 1500 (milliseconds) as milliseconds.
 * @throws {ActivationError} bad-option
 */
export function readDuration(input: number | string): number {
  const milliseconds = parseDuration(input);
  if (milliseconds > 0 && milliseconds < 2 ** 31) return milliseconds;
  throw new ActivationError("bad-option", `idleExit "${input}" is no duration`, 'Write milliseconds, "30s" or "10m"');
}
