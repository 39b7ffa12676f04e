// keep-alive-client.ts URL CLIENTS PAUSE: each client asks again and again over one connection, with a pause of 0 to PAUSE ms
// in between, until SIGTERM; then prints a KeepAliveReport. Run by keep-alive.ts in the network of a machine.
import { Agent, type ClientRequest, get } from "node:http";
import { get as getSecure, Agent as SecureAgent } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { KeepAliveReport } from "./keep-alive.ts";

const [url, clients, pause] = process.argv.slice(2) as [string, string, string];
const isSecure = url.startsWith("https:");
const report = {
  requests: 0,
  connections: 0,
  failures: [] as string[],
  crossed: 0,
  reset: 0,
  answers: {} as Record<string, number>,
};
let stopped = false;
process.once("SIGTERM", () => {
  stopped = true;
});
process.stdout.write("started\n");
await Promise.all(Array.from({ length: Number(clients) }, beClient));
process.stdout.write(JSON.stringify(report satisfies KeepAliveReport));

async function beClient(): Promise<void> {
  const options = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false };
  const agent = isSecure ? new SecureAgent(options) : new Agent(options);
  while (!stopped) {
    await ask(agent);
    await sleep(Math.random() * Number(pause));
  }
  agent.destroy();
}

async function ask(agent: Agent): Promise<void> {
  const number = ++report.requests;
  for (;;) {
    const request = (isSecure ? getSecure : get)(url, { agent, timeout: 20_000 });
    try {
      const answer = await whole(request);
      if (!request.reusedSocket) report.connections++;
      report.answers[answer] = (report.answers[answer] ?? 0) + 1;
      return;
    } catch (error) {
      const { message } = error as Error;
      // RFC 9112, 9.3.1: a server may end an idle connection just when the client sends on it, which then sends again. So it
      // was where the end of the stream came. Where the request was in the server's buffer, the kernel resets (tcp(7)).
      const crossed = message === "socket hang up";
      const again = request.reusedSocket && (crossed || /ECONNRESET|EPIPE/.test(message));
      if (!again) report.failures.push(`request ${number}: ${message}`);
      else if (crossed) report.crossed++;
      else report.reset++;
      if (!again) return;
    }
  }
}

function whole(request: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.once("error", reject);
    request.once("response", (response) => {
      text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject);
    });
  });
}
