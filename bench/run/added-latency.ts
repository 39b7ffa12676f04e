/** What a server answers behind `rouse run`, beside the same program on the same kind of socket without it. */
import { join } from "node:path";
import { attempt, buildLoadClient, bundle, type Command } from "../common/build.ts";
import type { Figures } from "../common/figures.ts";
import { buildGo } from "../common/go.ts";
import { cpuTime, type LaunchedServer, type RunningServer, startOn, startPassed } from "../common/running-server.ts";
import { measureThroughput } from "../common/throughput.ts";
import { throughputFigures } from "../common/throughput-figures.ts";
import { freePort } from "./free-port.ts";

/** All servers run at the same time; only one of them is under load. */
export async function measureAddedLatency(rouse: string, folder: string, rounds: number): Promise<Figures[]> {
  await using stack = new AsyncDisposableStack();
  const client = await buildLoadClient(folder);
  const figures: Figures[] = [];
  for (const { name, command, env } of await buildServers(folder)) {
    const launched = stack.use(await startLaunched(rouse, command, env));
    const servers = [
      { name: base, server: stack.use(await startPassed(command, env, { detached: true })) },
      { name: "the same once more: the noise", server: stack.use(await startPassed(command, env, { detached: true })) },
      { name: behind, server: launched as RunningServer },
    ];
    const contestants = loads.flatMap((load) => servers.map((server) => ({ ...server, ...load })));
    const before = cpuTime(launched.pid);
    const slices = await measureThroughput(client, contestants, { rounds, milliseconds });
    const spent = cpuTime(launched.pid) - before;
    for (const load of loads) {
      const rows = contestants.flatMap((each, index) =>
        each.title === load.title ? { name: each.name, slices: slices[index]! } : [],
      );
      const title = `${name}: ${load.title}, ${rounds} rounds of ${milliseconds} ms each`;
      figures.push(throughputFigures(title, rows, { base, aims: [{ row: behind, least: 0.98 }] }));
    }
    const last = figures.at(-1)!;
    const answered = contestants
      .flatMap(({ server }, index) => (server === launched ? slices[index]! : []))
      .reduce((sum, { perSecond }) => sum + (perSecond * milliseconds) / 1000, 0);
    const note = `The launcher itself used ${spent.toFixed(1)} ms of CPU time while ${answered.toFixed(0)} requests went to the server behind it.`;
    figures[figures.length - 1] = { ...last, notes: [...(last.notes ?? []), note] };
  }
  return figures;
}

// --- internal ---

/** Of one slice. Short, so that contestants that are compared ran in the same weather. */
const milliseconds = 150;
const base = "started plainly";
const behind = "rouse run --";

const loads = [
  { keepAlive: false, connections: 1, title: "a connection for each request, one at a time" },
  { keepAlive: false, connections: 16, title: "a connection for each request, 16 at a time" },
  { keepAlive: true, connections: 16, title: "16 connections kept alive" },
];

interface Server {
  readonly name: string;
  readonly command: Command;
  readonly env: NodeJS.ProcessEnv;
}

async function buildServers(folder: string): Promise<Server[]> {
  const plain = await bundle(join(import.meta.dirname, "../runtime/servers/plain.ts"), join(folder, "plain.cjs"));
  const source = join(import.meta.dirname, "servers/listen-fds.go");
  const go = await attempt("no table for Go", () => buildGo(source, join(folder, "listen-fds")));
  return [
    { name: "node:http, listen({ fd: 3 })", command: plain, env: { FDS: "3" } },
    ...(go === undefined ? [] : [{ name: "Go, net/http on LISTEN_FDS", command: [go], env: {} }]),
  ];
}

async function startLaunched(rouse: string, command: Command, env: NodeJS.ProcessEnv): Promise<LaunchedServer> {
  const port = freePort();
  const run = [rouse, "run", "--socket", `hello=127.0.0.1:${port}`, "--", ...command];
  return await startOn(port, run, { env });
}
