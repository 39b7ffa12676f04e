// load-client.ts URL MILLISECONDS: asks the URL again and again, each time over a new connection, until SIGTERM; then prints a LoadReport.
// Over HTTPS the name of the certificate, which it believes, is part of each answer. Run by load.ts in the network of a machine.
import { type ClientRequest, get, type RequestOptions } from "node:http";
import { get as getSecure } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
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
    last = await answer(send({ agent: false, timeout: 20_000 }));
    answers[last] = (answers[last] ?? 0) + 1;
    if (number === 1) process.stdout.write("first answer\n");
  } catch (error) {
    failures.push(`request ${number}: ${(error as Error).message}`);
  }
  slowest = Math.max(slowest, performance.now() - start);
}

function send(options: RequestOptions): ClientRequest {
  return url.startsWith("https:") ? getSecure(url, { ...options, rejectUnauthorized: false }) : get(url, options);
}

function answer(request: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.once("error", reject);
    request.once("response", (response) => {
      const { subject } = (response.socket as Partial<TLSSocket>).getPeerCertificate?.() ?? {};
      const who = subject ? `${subject.CN} ` : "";
      text(response).then((body) => resolve(`${response.statusCode} ${who}${body}`), reject);
    });
  });
}
