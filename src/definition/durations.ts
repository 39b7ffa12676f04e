import { parseDuration } from "../activation/duration.ts";
import type { Problem } from "../problem.ts";
import type { Service } from "../service.ts";
import type { Definition } from "./definition.ts";

type Durations = Pick<Service, "stopTimeout" | "watchdog" | "idleExit">;

/** The definition's durations in seconds, and those that are out of bounds. */
export function resolveDurations(definition: Definition): { durations: Durations; problems: Problem[] } {
  const durations = {
    stopTimeout: seconds(definition.stopTimeout ?? "20s"),
    watchdog: definition.watchdog === undefined ? undefined : seconds(definition.watchdog),
    idleExit: definition.idleExit === undefined ? undefined : seconds(definition.idleExit),
  };
  return { durations, problems: Object.entries(durations).flatMap(([key, value]) => boundProblems(key, value)) };
}

// --- internal ---

/** To the millisecond: 1.1 hours are no number of seconds that a person would write. */
const seconds = (duration: string): number => Math.round(parseDuration(duration)) / 1000;

const mends: Readonly<Record<string, string>> = {
  stopTimeout: "give the requests that are under way the time that they need",
  watchdog: "give it longer than the program's longest computation; to have none, leave it out",
  idleExit: "give it longer than the pause between two visits; to stay for good, leave it out",
};

/**
 * systemd takes 0 for "no limit" or "none", and gives up on numbers that it cannot hold; Node's timers end at 24 days.
 * Below a second, a program that starts and leaves would do little else.
 */
function boundProblems(key: string, value: number | undefined): Problem[] {
  if (value === undefined || (value >= 1 && value <= 86_400)) return [];
  const what = `"${key}" must be from 1s to 24h, and is ${value} seconds`;
  return [{ code: "invalid-definition", what, where: { key }, mend: mends[key]! }];
}
