/** What systemd does around a service, `rouse run` does too; test/system/run-fidelity.test.ts compares both. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { askHanded, compileHanded, type Handed, lateStory, type Say, talkTo } from "../helpers/handed.ts";
import { makeProject } from "../helpers/project.ts";
import { type Run, startRun } from "../helpers/run.ts";
import { has } from "../helpers/tools.ts";
import { waitFor } from "../system/wait.ts";

interface Started {
  readonly run: Run;
  readonly say: Say;
  readonly look: () => Promise<Handed>;
}

/** The probe of test/run/programs/handed.c as a service with one socket. */
async function start(t: TestContext, definition: object, args: readonly string[] = []): Promise<Started> {
  const { handed, talk } = compileHanded(t);
  const folder = makeProject(t, {
    "package.json": { name: "probe", version: "1.0.0" },
    "rouse.config.json": { exec: "handed", sockets: { web: 80 }, ...definition },
  });
  copyFileSync(handed, join(folder, "handed"));
  const run = startRun(t, [folder, "--port", "web=0", ...args]);
  const address = `tcp:127.0.0.1:${await run.port("web")}`;
  return { run, say: (command) => talkTo(talk, [address, command]), look: () => askHanded(talk, address) };
}

function test(title: string, body: (t: TestContext) => Promise<void>): void {
  it(title, { timeout: 60_000 }, async (t) => {
    if (has(t, "cc", "gcc libc6-dev")) await body(t);
  });
}

function isAlive(pid: number): boolean {
  try {
    // One that nobody has waited for yet is no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("rouse run: as systemd starts a program", () => {
  test("SIGPIPE is ignored, 1024 descriptors are allowed, each start has an id of its own", async (t) => {
    const { say, look, run } = await start(t, {}, ["--lazy"]);
    const first = await look();
    assert.deepEqual([first.ignored, first.files, first.blocked], [[13], 1024, []]);
    assert.match(first.environment.INVOCATION_ID!, /^[\da-f]{32}$/);
    assert.equal(first.environment.SYSTEMD_EXEC_PID, "own");
    await say("nonblock");
    await say("exit 0");
    await run.event("exited");
    const second = await look();
    assert.notEqual(second.environment.INVOCATION_ID, first.environment.INVOCATION_ID);
    assert.deepEqual(second.descriptors, first.descriptors);
  });

  test("what was stored by a name that LISTEN_FDNAMES cannot have is passed as stored", async (t) => {
    const { say, look, run } = await start(t, {}, ["--lazy"]);
    await say("store FDSTORE=1|FDNAME=no:name");
    await say("exit 3");
    await run.event("exited");
    const { environment } = await look();
    assert.deepEqual([environment.LISTEN_FDS, environment.LISTEN_FDNAMES], ["2", "web:stored"]);
  });
});

describe("rouse run: as systemd ends a program", () => {
  test("one that asks for more time gets it", async (t) => {
    const { say, run } = await start(t, { stopTimeout: "1s" });
    await lateStory(say, () => run.child.kill("SIGTERM"));
    assert.deepEqual(await run.ended, { code: 7, signal: null });
  });

  test("one that does not is killed", async (t) => {
    const { say, run } = await start(t, { stopTimeout: "1s" });
    await say("ignore");
    run.child.kill("SIGTERM");
    assert.deepEqual(await run.ended, { code: 137, signal: null });
  });

  test("what it leaves behind with a socket is killed, and the rest is told", async (t) => {
    const { say, run } = await start(t, {});
    const pids = [await say("leave"), await say("leave-3"), await say("leave-soon")];
    const [harmless, serving] = pids.map(({ answer }) => Number(answer));
    t.after(() => process.kill(harmless!, "SIGKILL"));
    await say("exit 0");
    const { problem } = await run.event("warning", (event) => event.problem.code === "left-running");
    assert.match(problem.what, new RegExp(`^process ${harmless} `));
    await run.ended;
    await waitFor("the other is killed", async () => !isAlive(serving!), { interval: 20 });
    assert.ok(isAlive(harmless!));
    assert.equal(run.events.filter(({ event }) => event === "warning").length, 1);
  });
});

describe("rouse run: a reload", () => {
  test("of which systemd would not know when it began is warned of, once", async (t) => {
    const { say, run } = await start(t, {});
    await say("notify RELOADING=1|MONOTONIC_USEC=1");
    await say("notify READY=1");
    await run.event("reloaded");
    assert.ok(!run.events.some(({ event }) => event === "warning"));
    for (let count = 0; count < 2; count++) await say("notify RELOADING=1");
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "reload-without-time");
    await say("exit 0");
    await run.ended;
    assert.equal(run.events.filter(({ event }) => event === "warning").length, 1);
  });
});

describe("rouse run: a watchdog", () => {
  test("is missed when the program says so, and its time is what the program says", async (t) => {
    const { say, run } = await start(t, { watchdog: "1h" });
    await run.event("ready");
    await say("notify WATCHDOG=trigger");
    assert.equal((await run.event("watchdog")).kept, false);
    await say("notify WATCHDOG=1");
    await run.event("watchdog", ({ kept }) => kept);
    await say("notify WATCHDOG_USEC=1000");
    await run.event(
      "watchdog",
      ({ kept }) => !kept && run.events.filter(({ event }) => event === "watchdog").length > 2,
    );
  });
});
