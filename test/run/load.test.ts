/** Editing a service while clients use it: none of them notices more than a wait. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hello, makeProject } from "../helpers/project.ts";
import { startRun } from "../helpers/run.ts";
import { startLoad } from "../helpers/steady-load.ts";

const server = `import { createServer } from "node:http";
import { activate } from "rouse";
import { version } from "./version.ts";
const server = createServer((request, response) => response.end(String(version)));
await activate({ fallback: { http: 8080 } }).listen(server, "http");
`;
const version = (number: number): string => `export const version: number = ${number};\n`;

test("--watch: 100 restarts under load, and no connection is lost", { timeout: 240_000 }, async (t) => {
  const restarts = 100;
  const project = makeProject(t, { ...hello({ server }), "src/version.ts": version(0) });
  const run = startRun(t, [project, "--watch", "-s", "http=127.0.0.1:0"]);
  const seen = new Map<string, PromiseWithResolvers<void>>();
  const answered = (body: string): PromiseWithResolvers<void> => {
    if (!seen.has(body)) seen.set(body, Promise.withResolvers());
    return seen.get(body)!;
  };
  const onAnswer = (body: string): void => answered(body).resolve();
  const load = startLoad({ port: await run.port("http"), kept: 4, closing: 4, pause: 10, onAnswer });
  t.after(() => load.stop());
  for (let number = 0; number <= restarts; number++) {
    if (number > 0) writeFileSync(join(project, "src/version.ts"), version(number));
    await Promise.race([
      answered(String(number)).promise,
      run.ended.then(() => Promise.reject(new Error(`it has ended: ${run.stderr}`))),
    ]);
  }
  const { answers, lost, failures, longestWait } = await load.stop();
  const story = `${answers} answers, the longest after ${longestWait.toFixed()} ms, ${run.stderr}`;
  t.diagnostic(story);
  assert.deepEqual({ lost, failures }, { lost: 0, failures: {} }, story);
  assert.ok(run.events.filter((each) => each.event === "started" && each.cause === "change").length >= restarts);
  assert.deepEqual(await run.stop(), { code: 0, signal: null });
});
