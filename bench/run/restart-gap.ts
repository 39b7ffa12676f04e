/** What clients notice when somebody edits a server that they use: requests lost, and how long the slowest of them waits. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type LoadTally, startLoad } from "../../test/helpers/steady-load.ts";
import type { Figures } from "../common/figures.ts";
import { median } from "../common/quantile.ts";
import { type LaunchedServer, startOn } from "../common/running-server.ts";
import { freePort } from "./free-port.ts";
import { type Launcher, path, watchers } from "./launchers.ts";
import { makeServiceFolder, type ServerName, type ServiceFolder } from "./service-folder.ts";

/** All launchers run at the same time; in each round each of them has one restart under load. */
export async function measureRestartGap(
  rouse: string,
  parent: string,
  server: ServerName,
  restarts: number,
): Promise<Figures> {
  await using stack = new AsyncDisposableStack();
  const rows: Row[] = [];
  for (const [index, launcher] of watchers(rouse)
    .filter(({ servers }) => servers.includes(server))
    .entries()) {
    if (launcher.missing) {
      rows.push({ launcher, samples: [] });
      continue;
    }
    const folder = await makeServiceFolder(join(parent, `gap-${server}-${index}`), server);
    const port = freePort();
    const env = { PORT: String(port), PATH: path };
    const running = await startOn(port, launcher.command(folder.file, port), { cwd: folder.path, env });
    rows.push({ launcher, folder, running: stack.use(running), samples: [] });
  }
  // Watchers need a moment until they watch.
  await sleep(1000);
  for (let version = 1; version <= restarts; version++) {
    for (const row of version % 2 === 0 ? rows : rows.toReversed()) {
      if (row.running && row.folder) row.samples.push(await restartOnce(row.running, row.folder, version));
    }
  }
  return toFigures(server, restarts, rows);
}

// --- internal ---

interface Row {
  readonly launcher: Launcher;
  readonly folder?: ServiceFolder;
  readonly running?: LaunchedServer;
  readonly samples: Sample[];
}

interface Sample extends LoadTally {
  /** Milliseconds from the edit to the first answer of the new version. */
  readonly change: number;
}

const load = { kept: 4, closing: 4, pause: 10 };
/** Milliseconds of load before an edit, and after the new version's first answer. */
const around = 250;
const patience = 20_000;

async function restartOnce({ port }: LaunchedServer, folder: ServiceFolder, version: number): Promise<Sample> {
  const { promise: answered, resolve } = Promise.withResolvers<number>();
  const onAnswer = (body: string): void => {
    if (body.startsWith(`${version} `)) resolve(performance.now());
  };
  const running = startLoad({ port, ...load, onAnswer });
  await sleep(around);
  const start = performance.now();
  folder.write(version);
  const at = await Promise.race([answered, sleep(patience, undefined, { ref: false })]);
  if (at === undefined)
    throw new Error(`${folder.path}: version ${version} did not answer within ${patience / 1000} s`);
  await sleep(around);
  return { ...(await running.stop()), change: at - start };
}

function toFigures(server: ServerName, restarts: number, rows: readonly Row[]): Figures {
  const clients = `${load.kept} clients that keep their connection, ${load.closing} that do not`;
  const what = { plain: "node:http without any handling of signals", draining: "Rouse's runtime, which drains" }[
    server
  ];
  return {
    title: `${restarts} restarts under load, ${clients}; the server: ${what}`,
    head: ["", "answers", "lost", "lost in the worst", "longest wait ms", "median longest ms", "edit to new answer ms"],
    rows: rows.map(({ launcher: { name, missing }, samples }) => {
      if (missing) return [`${name} (missing: ${missing})`, "", "", "", "", "", ""];
      const sum = (of: (sample: Sample) => number): number => samples.reduce((total, sample) => total + of(sample), 0);
      const longest = samples.map(({ longestWait }) => longestWait);
      return [
        name,
        sum(({ answers }) => answers).toFixed(),
        sum(({ lost }) => lost).toFixed(),
        Math.max(...samples.map(({ lost }) => lost)).toFixed(),
        Math.max(...longest).toFixed(),
        median(longest).toFixed(),
        median(samples.map(({ change }) => change)).toFixed(),
      ];
    }),
    notes: rows.flatMap(({ launcher: { name }, samples }) => {
      const kinds = new Map<string, number>();
      for (const [kind, count] of samples.flatMap(({ failures }) => Object.entries(failures))) {
        kinds.set(kind, (kinds.get(kind) ?? 0) + count);
      }
      const all = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ");
      return all ? `${name}, failed tries: ${all}.` : [];
    }),
  };
}
