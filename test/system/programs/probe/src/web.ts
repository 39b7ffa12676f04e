// An HTTP server that tells about itself and misbehaves on request. Its environment, in milliseconds: START and RELOAD are how
// long these take; IDLE is after how long without a connection it ends; EXTEND is how much more time it asks of the manager, again and again, while it starts and while it stops.
import { writeSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { activate } from "rouse";

const { START = "0", RELOAD = "0", EXTEND, IDLE } = process.env;
const activation = activate({ fallback: { web: 8080 }, ...(IDLE && { idleExit: IDLE }) });
const version = "1";
let reloads = 0;
let inFlight = 0;
/** Of a worker it is the supervisor. */
const main = process.ppid === 1 ? process.pid : process.ppid;

const routes: Readonly<Record<string, (query: URLSearchParams) => unknown>> = {
  "/": () => ({ pid: process.pid, main, version, source: activation.source, peer: activation.peer, reloads, inFlight }),
  "/version": () => version,
  "/slow": async (query) => {
    await sleep(Number(query.get("ms")));
    return "slow";
  },
  "/block": () => {
    writeSync(2, "blocked\n");
    for (;;);
  },
  "/status": async (query) => {
    activation.status(query.get("text")!);
    await activation.barrier();
    return "told";
  },
};

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url!, "http://probe");
  inFlight++;
  response.once("close", () => inFlight--);
  response.end(`${JSON.stringify(await routes[pathname]!(searchParams))}\n`);
});

activation.onReload(async () => {
  await sleep(Number(RELOAD));
  reloads++;
});
activation.signal.addEventListener("abort", askForTime);

const asking = askForTime();
await sleep(Number(START));
clearInterval(asking);
await activation.listen(server, "web");

function askForTime(): NodeJS.Timeout | undefined {
  if (EXTEND === undefined) return undefined;
  activation.extendTimeout(Number(EXTEND));
  return setInterval(() => activation.extendTimeout(Number(EXTEND)), Number(EXTEND) / 2).unref();
}
