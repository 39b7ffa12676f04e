import type { Command } from "./build.ts";
import { type LoadOrder, load } from "./load/load.ts";
import type { RunningServer } from "./running-server.ts";

/** One server under one kind of load. */
export interface Contestant {
  readonly name: string;
  readonly server: RunningServer;
  readonly connections: number;
  readonly keepAlive: boolean;
}

/** What one slice of load gave. */
export interface Slice {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the server's CPU time for each request. */
  readonly cpu: number;
  /** Of the client's. */
  readonly clientCpu: number;
}

/**
 * Loads one after the other, `milliseconds` each, again and again: noise and drift of the machine then hit all alike. Every other
 * round runs backwards. One more round, before the others, warms up the compilers and does not count.
 * @returns for each contestant its slices; those of one round have the same index
 */
export async function measureThroughput(
  client: Command,
  contestants: readonly Contestant[],
  { rounds, milliseconds }: { readonly rounds: number; readonly milliseconds: number },
): Promise<Slice[][]> {
  const slices: Slice[][] = contestants.map(() => []);
  for (let round = -1; round < rounds; round++) {
    const order = [...contestants.keys()];
    if (round % 2 === 0) order.reverse();
    for (const index of order) {
      const { server, connections, keepAlive } = contestants[index]!;
      const slice = await measure(client, server, { port: server.port, connections, milliseconds, keepAlive });
      if (round >= 0) slices[index]!.push(slice);
    }
  }
  return slices;
}

// --- internal ---

async function measure(client: Command, server: RunningServer, order: LoadOrder): Promise<Slice> {
  const before = server.cpu();
  const { requests, seconds, cpu, p50, p99 } = await load(client, order);
  const perRequest = (milliseconds: number): number => (milliseconds / requests) * 1000;
  return {
    perSecond: requests / seconds,
    p50,
    p99,
    cpu: perRequest(server.cpu() - before),
    clientCpu: perRequest(cpu),
  };
}
