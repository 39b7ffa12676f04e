/**
 * Durations as people write them, in the definition and in `activate({ idleExit })` alike.
 * This file goes into the user's server: no dependency, nothing but parsing.
 */

/** A number and its unit. */
export const DURATION: RegExp = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/** Reads `"500ms"`, `"30s"`, `"1.5m"`, `"1h"`, and a number of milliseconds, as milliseconds; NaN where it is none of these. */
export function parseDuration(input: string | number): number {
  if (typeof input === "number") return input;
  const [, amount, unit] = DURATION.exec(input) ?? [];
  return Number(amount) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
}

// --- internal ---

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
