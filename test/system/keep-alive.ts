import { join } from "node:path";
import { CommandError } from "./command.ts";
import type { Machine } from "./machine.ts";

export interface KeepAliveReport {
  readonly requests: number;
  readonly connections: number;
  /** One line for each request without a whole answer. */
  readonly failures: readonly string[];
  /** How many were sent on a connection that the server had just ended, and then again on another. */
  readonly crossed: number;
  /** How many were sent again because the server had received them, and ended the connection without having read them. */
  readonly reset: number;
  /** How often each answer came, such as "200 Hello World!\n". */
  readonly answers: Readonly<Record<string, number>>;
}

export interface KeepAliveLoad {
  /** Waits for the answers to all that was asked. */
  stop(): Promise<KeepAliveReport>;
}

/** Clients that each ask the URL again and again over a connection that they keep, with pauses of up to so many milliseconds. */
export async function startKeepAlive(
  machine: Machine,
  url: string,
  clients: number,
  pause: number,
): Promise<KeepAliveLoad> {
  const client = join(import.meta.dirname, "keep-alive-client.ts");
  const load = machine.spawn([process.execPath, client, url, clients.toString(), pause.toString()]);
  await load.firstLine;
  return {
    async stop() {
      const result = await load.stop();
      if (result.code !== 0) throw new CommandError(client, `exit code ${result.code}`, result);
      return JSON.parse(result.stdout.slice(result.stdout.indexOf("\n"))) as KeepAliveReport;
    },
  };
}
