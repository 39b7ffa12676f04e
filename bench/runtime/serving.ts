/** What a server answers on a passed socket, beside one that binds its port with plain node:http, and beside Go. */
import type { Figures } from "../common/figures.ts";
import { type RunningServer, startPassed, startPlain } from "../common/running-server.ts";
import { measureThroughput } from "../common/throughput.ts";
import { throughputFigures } from "../common/throughput-figures.ts";
import type { Programs } from "./programs.ts";

/** All servers run at the same time; only one of them is under load. */
export async function measureServing(programs: Programs, rounds: number): Promise<Figures[]> {
  await using stack = new AsyncDisposableStack();
  const add = (name: string, server: RunningServer) => ({ name, server: stack.use(server) });
  const servers = [
    add(base, await startPlain(programs.plain)),
    add("the same once more: the noise", await startPlain(programs.plain)),
    add("plain node:http, listen({ fd: 3 })", await startPassed(programs.plain, { FDS: "3" })),
    add("rouse by node, passed socket", await startPassed(programs.bundled)),
    add("rouse build, passed socket", await startPassed(programs.built.one)),
    ...(programs.go ? [add("Go net/http, go-systemd", await startPassed(programs.go))] : []),
  ];
  const loads = [
    { keepAlive: true, connections: 16, title: "16 connections kept alive" },
    { keepAlive: false, connections: 16, title: "a connection for each request, 16 at a time" },
  ];
  const contestants = loads.flatMap((load) => servers.map((server) => ({ ...server, ...load })));
  const slices = await measureThroughput(programs.loadClient, contestants, { rounds, milliseconds });
  return loads.map(({ title, keepAlive }) => {
    const rows = contestants.flatMap((each, index) =>
      each.keepAlive === keepAlive ? { name: each.name, slices: slices[index]! } : [],
    );
    return throughputFigures(`Requests per second, ${title}, ${rounds} rounds of ${milliseconds} ms each`, rows, {
      base,
      aims: [{ row: "rouse build, passed socket", least: 0.98 }],
    });
  });
}

// --- internal ---

/** Of one slice. Short, so that contestants that are compared ran in the same weather. */
const milliseconds = 150;
const base = "plain node:http, listen(port)";
