/** What two workers answer, beside one process, where the handler uses the CPU and where it does not. */
import type { Figures } from "../common/figures.ts";
import { type RunningServer, startPassed, startPlain, startShared } from "../common/running-server.ts";
import { measureThroughput } from "../common/throughput.ts";
import { throughputFigures } from "../common/throughput-figures.ts";
import type { Programs } from "./programs.ts";
import { compute } from "./servers/answer.ts";

export async function measureWorkers(programs: Programs, rounds: number): Promise<Figures[]> {
  const handlers = [
    { work: 0, title: "a handler that does nothing", aims: [] },
    // The more there is to do, the less of the cores goes to the client.
    ...[300, 1000].map((microseconds) => ({
      work: stepsWithin(microseconds),
      title: `a handler that computes for ${microseconds} us`,
      aims: [{ row: twoWorkers, least: 1.8 }],
    })),
  ];
  const figures: Figures[] = [];
  for (const { work, title, aims } of handlers) {
    await using stack = new AsyncDisposableStack();
    const contestants = (await startAll(programs, { WORK: String(work) })).map(({ name, server }) => ({
      name,
      server: stack.use(server),
      connections: 32,
      keepAlive: true,
    }));
    const slices = await measureThroughput(programs.loadClient, contestants, { rounds, milliseconds });
    const rows = contestants.map(({ name }, index) => ({ name, slices: slices[index]! }));
    const all = `Requests per second of two processes, ${title}, 32 connections kept alive, ${rounds} rounds of ${milliseconds} ms each`;
    figures.push(throughputFigures(all, rows, { base: oneProcess, aims }));
  }
  return figures;
}

// --- internal ---

/** Of one slice. */
const milliseconds = 250;
const oneProcess = "rouse build, 1 process";
const twoWorkers = "rouse build, 2 workers";

async function startAll(
  { built, plain, cluster, go }: Programs,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly name: string; readonly server: RunningServer }[]> {
  return [
    { name: oneProcess, server: await startPassed(built.one, env) },
    { name: twoWorkers, server: await startPassed(built.workers, env) },
    { name: "plain node:http, 2 processes on one socket", server: await startShared(plain, 2, { ...env, FDS: "3" }) },
    { name: "node:cluster, 2 processes", server: await startPlain(cluster, env) },
    ...(go ? [{ name: "Go net/http, go-systemd, 1 process", server: await startPassed(go, env) }] : []),
  ];
}

/** How many steps of the handler's arithmetic take that long here: the quickest of many tries, since others may run too. */
function stepsWithin(microseconds: number): number {
  const steps = 100_000;
  const times = Array.from({ length: 200 }, () => {
    const start = performance.now();
    compute(steps);
    return performance.now() - start;
  });
  return Math.ceil((steps * microseconds) / 1000 / Math.min(...times));
}
