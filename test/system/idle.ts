import { join } from "node:path";
import { CommandError } from "./command.ts";
import type { Machine } from "./machine.ts";

/** ROUSE_TEST_LONG=1 runs the races of idle services for minutes. */
export const long: boolean = !["", "0", undefined].includes(process.env.ROUSE_TEST_LONG);

/** What came of it. */
export interface IdleReport {
  /** How often somebody came about when the service had to end. */
  readonly rounds: number;
  readonly requests: number;
  /** How often the service had ended by then. */
  readonly starts: number;
  /** One line for each request without a whole answer. */
  readonly failures: readonly string[];
}

/**
 * Lets clients come just when a service `web` of the probe ends, which does so after so many milliseconds without a
 * connection: as many rounds on each of the ports, side by side.
 */
export async function raceIdle(
  machine: Machine,
  milliseconds: number,
  rounds: number,
  ports: readonly number[],
): Promise<IdleReport> {
  const client = join(import.meta.dirname, "idle-client.ts");
  const args = [milliseconds, rounds, ...ports].map(String);
  const result = await machine.spawn([process.execPath, client, ...args]).result;
  if (result.code !== 0) throw new CommandError(client, `exit code ${result.code}`, result);
  return JSON.parse(result.stdout) as IdleReport;
}
