import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  /** Milliseconds; 10 s unless told. */
  readonly timeout?: number;
  /** Milliseconds between two checks; 50 unless told. */
  readonly interval?: number;
}

/**
 * Asks again and again until the check gives something other than undefined or false, and gives that.
 * @throws {Error} with the description after the timeout; at once with the check's own error when it throws
 */
export async function waitFor<T>(
  description: string,
  check: () => Promise<T | undefined | false>,
  options: WaitOptions = {},
): Promise<T> {
  const { timeout = 10_000, interval = 50 } = options;
  const deadline = performance.now() + timeout;
  while (performance.now() < deadline) {
    const answer = await check();
    if (answer !== undefined && answer !== false) return answer;
    await sleep(interval);
  }
  throw new Error(`waited ${timeout} ms in vain: ${description}`);
}
