import { join } from "node:path";
import { CommandError } from "./command.ts";
import type { Machine } from "./machine.ts";

export interface LoadReport {
  readonly requests: number;
  /** One line for each request without a whole answer: refused, reset, cut off, or none within 20 s. */
  readonly failures: readonly string[];
  /** How often each answer came, such as "200 Hello World!\n". */
  readonly answers: Readonly<Record<string, number>>;
  /** The answer that came last. */
  readonly last: string;
  /** Milliseconds. */
  readonly slowest: number;
}

export interface Load {
  /** Waits for the answers to all that was asked. */
  stop(): Promise<LoadReport>;
}

/**
 * Clients that connect to the URL from now on, a new one every few milliseconds (5 unless told), whether or not earlier ones have their answer.
 * Resolves after the first answer.
 */
export async function startLoad(machine: Machine, url: string, every = 5): Promise<Load> {
  const client = join(import.meta.dirname, "load-client.ts");
  const load = machine.spawn([process.execPath, client, url, every.toString()]);
  await load.firstLine;
  return {
    async stop() {
      const result = await load.stop();
      if (result.code !== 0) throw new CommandError(client, `exit code ${result.code}`, result);
      return JSON.parse(result.stdout.slice(result.stdout.indexOf("\n"))) as LoadReport;
    },
  };
}
