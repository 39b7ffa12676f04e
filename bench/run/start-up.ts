/** What a launcher costs before the first answer, and the memory that it keeps beside the server. */
import { join } from "node:path";
import { readMemory } from "../cold-activation/sample.ts";
import type { Figures } from "../common/figures.ts";
import { median, medianInterval, quantile } from "../common/quantile.ts";
import { processTree, startOn } from "../common/running-server.ts";
import { freePort } from "./free-port.ts";
import { alone, type Launcher, launchers, path, watchers } from "./launchers.ts";
import { makeServiceFolder, type ServiceFolder } from "./service-folder.ts";

export async function measureStartUp(rouse: string, parent: string, rounds: number): Promise<Figures> {
  const folder = await makeServiceFolder(join(parent, "start-up"), "draining");
  const rows = [...launchers(rouse), ...watchers(rouse)].map((launcher) => ({ launcher, samples: [] as Sample[] }));
  // The first round fills the caches, and does not count.
  for (let round = -1; round < rounds; round++) {
    for (const { launcher, samples } of round % 2 === 0 ? rows : rows.toReversed()) {
      if (launcher.missing) continue;
      const sample = await startOnce(launcher, folder);
      if (round >= 0) samples.push(sample);
    }
  }
  return toFigures(rows, rounds);
}

// --- internal ---

interface Sample {
  /** Milliseconds from the start of the launcher to the first byte of an answer. */
  readonly firstAnswer: number;
  /** Megabytes of every process but the server and its children. */
  readonly resident: number;
  readonly own: number;
}

async function startOnce(launcher: Launcher, folder: ServiceFolder): Promise<Sample> {
  const port = freePort();
  const env = { PORT: String(port), PATH: path };
  await using server = await startOn(port, launcher.command(folder.file, port), { cwd: folder.path, env });
  const pid = Number(server.answer.split(" ")[1]);
  const others = processTree(server.pid).filter((each) => !processTree(pid).includes(each));
  const memory = others.map(readMemory);
  return {
    firstAnswer: server.firstAnswer,
    resident: memory.reduce((sum, { resident }) => sum + resident, 0),
    own: memory.reduce((sum, { own }) => sum + own, 0),
  };
}

function toFigures(rows: readonly { launcher: Launcher; samples: readonly Sample[] }[], rounds: number): Figures {
  const base = rows.find(({ launcher }) => launcher.name === alone)!.samples;
  return {
    title: `From start to the first answer, ${rounds} rounds, and the memory of all processes but the server's`,
    head: ["", "median ms", "p90 ms", `more than ${alone}, ms`, "95 % between", "resident MB", "own MB"],
    rows: rows.map(({ launcher: { name, missing }, samples }) => {
      if (missing) return [`${name} (missing: ${missing})`, "", "", "", "", "", ""];
      const times = samples.map(({ firstAnswer }) => firstAnswer);
      // Of one round: what slowed one start slowed its neighbours too.
      const more = times.map((time, round) => time - base[round]!.firstAnswer);
      const [low, high] = medianInterval(more);
      const isBase = samples === base;
      return [
        name,
        median(times).toFixed(0),
        quantile(times, 0.9).toFixed(0),
        isBase ? "" : median(more).toFixed(0),
        isBase ? "" : `${low.toFixed(0)} to ${high.toFixed(0)}`,
        median(samples.map(({ resident }) => resident)).toFixed(1),
        median(samples.map(({ own }) => own)).toFixed(1),
      ];
    }),
  };
}
