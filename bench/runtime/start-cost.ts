/** What it costs a fresh process to get its sockets and to be ready, as the programs in servers/ measure it themselves. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { holdSocket, receiveDatagram } from "../../test/helpers/passed-socket.ts";
import type { Figures } from "../common/figures.ts";
import { median, quantile } from "../common/quantile.ts";
import type { Programs } from "./programs.ts";
import { type Starter, starters } from "./starters.ts";

export async function measureStartCost(programs: Programs, rounds: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "rouse-bench-"));
  const sockets = [holdSocket(), holdSocket(), holdSocket()];
  const manager = holdSocket({ path: join(folder, "notify"), type: "datagram" });
  try {
    const notifySocket = join(folder, "notify");
    const contestants = starters(programs, { sockets, notifySocket }).map((each) => ({
      ...each,
      costs: [] as Cost[],
    }));
    // One after the other in each round, so that noise hits all. The first round fills the caches, and does not count.
    for (let round = -1; round < rounds; round++) {
      for (const { name, start, costs, source, notifies } of contestants) {
        const cost = await readCost(name, start());
        if (cost.source !== source) throw new Error(`${name}: the source was ${cost.source}, not ${source}`);
        const said = receiveDatagram(manager);
        if (notifies !== (said === "READY=1")) throw new Error(`${name}: the manager was told ${said}`);
        if (round >= 0) costs.push(cost);
      }
    }
    return toFigures(contestants, rounds);
  } finally {
    for (const socket of [...sockets, manager]) socket.close();
    rmSync(folder, { recursive: true });
  }
}

// --- internal ---

/** Milliseconds of each step. */
interface Cost {
  readonly source?: string;
  /** To evaluate the runtime's code. */
  readonly load?: number;
  /** To get the sockets. */
  readonly activate?: number;
  /** From there until the server listens and the manager is told. */
  readonly serve: number;
}

async function readCost(name: string, child: ChildProcess): Promise<Cost> {
  const exited = once(child, "exit");
  const [output, errors, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), exited]);
  if (code === 0) return JSON.parse(output);
  throw new Error(`${name} ended with ${code}: ${errors.trim()}`);
}

type Part = "load" | "activate" | "serve";

function toFigures(contestants: readonly (Starter & { readonly costs: readonly Cost[] })[], rounds: number): Figures {
  const total = (costs: readonly Cost[]): number =>
    median(costs.map(({ load = 0, activate = 0, serve }) => load + activate + serve));
  const part = (costs: readonly Cost[], key: Part, quantum = 0.5): number =>
    quantile(
      costs.flatMap((cost) => cost[key] ?? []),
      quantum,
    );
  const text = (milliseconds: number): string => (Number.isNaN(milliseconds) ? "" : milliseconds.toFixed(2));
  const unit = total(contestants.find(({ isBase }) => isBase)!.costs);
  return {
    title: `From the runtime's first line to ready, in a fresh process, ${rounds} rounds`,
    head: ["", "load ms", "activate ms", "p10", "p90", "listen + ready ms", "all ms", "x plain"],
    rows: contestants.map(({ name, costs }) => [
      name,
      text(part(costs, "load")),
      text(part(costs, "activate")),
      text(part(costs, "activate", 0.1)),
      text(part(costs, "activate", 0.9)),
      text(part(costs, "serve")),
      text(total(costs)),
      (total(costs) / unit).toFixed(2),
    ]),
    notes: contestants.flatMap(({ name, most, costs }) => {
      if (most === undefined) return [];
      const found = part(costs, "activate");
      return `Aim: activate, ${name}, below ${most} ms: ${found < most ? "met" : "missed"} with ${text(found)} ms.`;
    }),
  };
}
