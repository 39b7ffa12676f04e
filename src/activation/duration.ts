/**
 * Durations as people write them, in the definition and in `activate({ idleExit })` alike.
 * This file goes into the user's server: no dependency, nothing but parsing.
 */

/** A number and its unit. */
export const DURATION: RegExp = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/**
 * Reads `"500ms"`, `"30s"`, `"1.5m"`, `"1h"`, and a number of milliseconds.
 * @returns milliseconds
 * @throws {SyntaxError} whose message says what would be right
 */
export function parseDuration(input: string | number): number {
  const [, amount, unit] = DURATION.exec(typeof input === "number" ? `${input}ms` : input) ?? [];
  if (amount === undefined) throw new SyntaxError(`"${input}" is no duration: write a number and ms, s, m or h`);
  return Number(amount) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
}

// --- internal ---

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
