// load-client.ts URL MILLISECONDS: asks the URL again and again, each time over a new connection, until SIGTERM; then prints a LoadReport.
// Run by load.ts in the network of a machine.
import { type ClientRequest, get } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoadReport } from "./load.ts";

const [url, every] = process.argv.slice(2) as [string, string];
const failures: string[] = [];
const answers: Record<string, number> = {};
const pending = new Set<Promise<void>>();
let requests = 0;
let slowest = 0;
let last = "";
let stopped = false;
process.once("SIGTERM", () => {
  stopped = true;
});

while (!stopped) {
  const asked = ask().finally(() => pending.delete(asked));
  pending.add(asked);
  await sleep(Number(every));
}
await Promise.all(pending);
process.stdout.write(JSON.stringify({ requests, failures, answers, last, slowest } satisfies LoadReport));

async function ask(): Promise<void> {
  const start = performance.now();
  const number = ++requests;
  try {
    last = await answer(get(url, { agent: false, timeout: 20_000 }));
    answers[last] = (answers[last] ?? 0) + 1;
    if (number === 1) process.stdout.write("first answer\n");
  } catch (error) {
    failures.push(`request ${number}: ${(error as Error).message}`);
  }
  slowest = Math.max(slowest, performance.now() - start);
}

function answer(request: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.once("error", reject);
    request.once("response", (response) => {
      text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject);
    });
  });
}
