import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { ask } from "../helpers/ask.ts";
import { startRun } from "../helpers/run.ts";
import { SERVER, script } from "./script.ts";

const HTTP = ["-s", "http=127.0.0.1:0"];

describe("rouse run --lazy", () => {
  it("starts at the first connection, and after an idle exit again at the next", async (t) => {
    const idle = SERVER.replace("fallback:", "idleExit: 1000, fallback:");
    const run = startRun(t, [...HTTP, "--lazy", "--", ...script(t, idle)]);
    const port = await run.port("http");
    await run.event("waiting", (event) => event.for === "connection");
    assert.ok(!run.events.some(({ event }) => event === "started"));
    const first = await ask({ port });
    assert.equal((await run.event("started")).cause, "connection");
    assert.equal((await run.event("exited")).code, 0);
    const second = await ask({ port });
    assert.notEqual(second, first);
    assert.equal(run.events.filter(({ event }) => event === "started").length, 2);
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
  });

  it("loses no connection over many idle exits", async (t) => {
    const idle = SERVER.replace("fallback:", "idleExit: 1000, fallback:");
    const run = startRun(t, [...HTTP, "--lazy", "--", ...script(t, idle)]);
    const port = await run.port("http");
    for (let round = 0; round < 8; round++) {
      const answers = await Promise.all([ask({ port }), ask({ port }), ask({ port })]);
      for (const answer of answers) assert.match(answer, /^\d+$/);
      // About when it leaves.
      await new Promise((resolve) => setTimeout(resolve, 990 + 10 * round));
    }
    assert.ok(run.events.filter(({ event }) => event === "started").length > 1);
  });

  it("waits longer and longer for a program that ends without accepting, and says why", async (t) => {
    const run = startRun(t, [...HTTP, "--lazy", "--", "/bin/sh", "-c", "exit 4"]);
    const client = connect(await run.port("http"), "127.0.0.1");
    await once(client, "connect");
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "exits-in-a-loop");
    assert.match(
      problem.what,
      /3 times in a row, the last time with exit code 4, and a connection that it has not accepted still waits/,
    );
    await run.event("waiting", (event) => event.for === "retry" && event.ms === 800);
    const pauses = run.events.flatMap((event) =>
      event.event === "waiting" && event.for === "retry" ? [event.ms] : [],
    );
    assert.deepEqual(pauses, [100, 200, 400, 800]);
    client.destroy();
  });

  it("does so also for one that ends with an error after a while", async (t) => {
    const run = startRun(t, [...HTTP, "--lazy", "--", "/bin/sh", "-c", "sleep 1.1; exit 4"]);
    const client = connect(await run.port("http"), "127.0.0.1");
    await run.event("waiting", (event) => event.for === "retry" && event.ms === 200);
    client.destroy();
  });

  it("refuses to wait for a connection where there is no socket", async (t) => {
    const run = startRun(t, ["--lazy", "--", "sleep", "60"]);
    assert.equal((await run.ended).code, 1);
    assert.match(run.stderr, /a connection starts the program, and there is no socket\n {2}mend: /);
  });

  it("ends at a signal also where nothing runs", async (t) => {
    const run = startRun(t, [...HTTP, "--lazy", "--", "sleep", "60"]);
    await run.event("waiting");
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
  });
});

describe("rouse run: a program that does not take what comes", () => {
  it("is told of, when it never accepts", async (t) => {
    const run = startRun(t, [...HTTP, "--", "sleep", "60"]);
    const client = connect(await run.port("http"), "127.0.0.1");
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "not-accepted");
    assert.match(problem.what, /a connection has waited on "http" .*process \d+ does not take it/);
    client.destroy();
  });

  it("is told of, when it has closed its listener", async (t) => {
    const lines = `${SERVER}setTimeout(() => net.Server.prototype.close.call(server), 100); setInterval(() => {}, 1000);`;
    const run = startRun(t, [...HTTP, "--", ...script(t, lines)]);
    await run.event("ready");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const client = connect(await run.port("http"), "127.0.0.1");
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "socket-closed");
    client.destroy();
  });

  it("is not told of while it works", async (t) => {
    const run = startRun(t, [...HTTP, "--", ...script(t, SERVER)]);
    const port = await run.port("http");
    await run.event("ready");
    for (let round = 0; round < 35; round++) {
      await ask({ port });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(!run.events.some(({ event }) => event === "warning"));
  });
});
