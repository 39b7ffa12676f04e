// idle-client.ts MILLISECONDS ROUNDS PORT...: on each port, asks once more just when a service ends that has had no connection for
// so long, round after round, with several clients at once; then prints an IdleReport. Run by idle.ts in the network of a machine.
import { get } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { IdleReport } from "./idle.ts";

const [milliseconds, rounds, ...ports] = process.argv.slice(2).map(Number) as [number, number, ...number[]];
const report = { rounds: 0, requests: 0, starts: 0, failures: [] as string[] };
await Promise.all(ports.map(race));
process.stdout.write(JSON.stringify(report satisfies IdleReport));

async function race(port: number): Promise<void> {
  let [last] = await burst(port, 1);
  // Where the end is, as seen from here: each round comes nearer to it from its own side.
  let aim = milliseconds;
  let step = 10;
  let late = true;
  for (let round = 0; round < rounds; round++) {
    await until(performance.now() + aim);
    const answers = await burst(port, 1 + (round % 4));
    const fresh = answers.filter((pid) => pid !== last);
    if (fresh.length > 0) report.starts++;
    if (late !== fresh.length > 0) step = Math.max(step / 2, 1);
    late = fresh.length > 0;
    aim += (late ? -step : step) * Math.random();
    aim = Math.min(Math.max(aim, milliseconds * 0.95), milliseconds * 1.05);
    last = fresh[0] ?? last;
    report.rounds++;
  }
}

/** So many clients, half a millisecond apart. Resolves with who answered each, when the last connection has ended. */
async function burst(port: number, clients: number): Promise<(number | undefined)[]> {
  const answers: Promise<number | undefined>[] = [];
  for (let client = 0; client < clients; client++) {
    if (client > 0) await until(performance.now() + 0.5);
    answers.push(ask(port));
  }
  return await Promise.all(answers);
}

function ask(port: number): Promise<number | undefined> {
  report.requests++;
  return new Promise((resolve) => {
    let pid: number | undefined;
    const request = get({ port, host: "127.0.0.1", agent: false, timeout: 20_000 });
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.once("error", ({ message }) => report.failures.push(`port ${port}: ${message}`));
    request.once("response", async (response) => {
      pid = ((await json(response)) as { main: number }).main;
    });
    request.once("close", () => resolve(pid));
  });
}

/** More exact than a timer. */
async function until(time: number): Promise<void> {
  const rest = time - performance.now() - 3;
  if (rest > 0) await sleep(rest);
  while (performance.now() < time);
}
