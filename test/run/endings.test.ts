import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../helpers/ask.ts";
import { makeProject } from "../helpers/project.ts";
import { startRun } from "../helpers/run.ts";
import { waitFor } from "../system/wait.ts";
import { SERVER, script } from "./script.ts";

/** A folder for everything temporary, so that a test sees what is left. */
function temporary(t: TestContext): { TMPDIR: string } {
  return { TMPDIR: makeProject(t, {}) };
}

const left = ({ TMPDIR }: { TMPDIR: string }): string[] => readdirSync(TMPDIR);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that nobody has waited for yet is no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  await waitFor(`for the end of ${pid}`, async () => !isAlive(pid), { interval: 20 });
}

describe("rouse run: how a program ends", () => {
  it("ends with the program's exit code, and leaves nothing", async (t) => {
    const env = temporary(t);
    const run = startRun(t, ["-s", "http=127.0.0.1:0", "--", "/bin/sh", "-c", "exit 7"], { env });
    assert.deepEqual(await run.ended, { code: 7, signal: null });
    assert.deepEqual(left(env), []);
  });

  it("says 128 and the signal's number for a program that was killed", async (t) => {
    const env = temporary(t);
    const run = startRun(t, ["-s", "http=127.0.0.1:0", "--", "sleep", "60"], { env });
    const { pid } = await run.event("started");
    process.kill(pid, "SIGKILL");
    assert.deepEqual(await run.ended, { code: 137, signal: null });
    assert.equal((await run.event("exited")).signal, "SIGKILL");
    assert.deepEqual(left(env), []);
  });

  it("passes SIGTERM on and waits: a request in flight is answered, the exit code is 0", async (t) => {
    const slow = SERVER.replace("response.end(", "setTimeout(() => response.end(String(process.pid)), 500, ");
    const env = temporary(t);
    const run = startRun(t, ["-s", "http=127.0.0.1:0", "--", ...script(t, slow)], { env });
    const port = await run.port("http");
    await run.event("ready");
    const asked = request({ port, host: "127.0.0.1", agent: false }).end();
    await once(asked, "socket");
    await once(asked, "finish");
    await new Promise((resolve) => setTimeout(resolve, 100));
    run.child.kill("SIGTERM");
    const [answer] = await once(asked, "response");
    assert.match(await text(answer), /^\d+$/);
    assert.deepEqual(await run.ended, { code: 0, signal: null });
    assert.deepEqual(left(env), []);
  });

  it("kills at the second Ctrl-C a program that ignores the first", async (t) => {
    const deaf = `process.on("SIGINT", () => console.log("no")); setInterval(() => {}, 1000); console.log("begun")`;
    const run = startRun(t, ["--", ...script(t, deaf)]);
    await run.printed(/begun/);
    run.child.kill("SIGINT");
    await run.printed(/no/);
    await sleep(150); // What comes sooner is the same Ctrl-C, told by somebody else as well.
    run.child.kill("SIGINT");
    assert.deepEqual(await run.ended, { code: 137, signal: null });
  });

  it("passes SIGHUP and SIGUSR2 on, which end nothing", async (t) => {
    const lines = `for (const signal of ["SIGHUP", "SIGUSR2"]) process.on(signal, () => console.log(signal));
setInterval(() => {}, 1000); console.log("begun")`;
    const run = startRun(t, ["--", ...script(t, lines)]);
    await run.printed(/begun/);
    run.child.kill("SIGHUP");
    await run.printed(/SIGHUP/);
    run.child.kill("SIGUSR2");
    await run.printed(/SIGUSR2/);
    assert.equal(run.child.exitCode, null);
  });

  it("halts with the program at a Ctrl-Z, and goes on with it", async (t) => {
    // One that starts nothing: a shell whose vfork(2) is halted is in another state.
    const run = startRun(t, ["--", "/bin/sh", "-c", "echo begun; exec sleep 60"]);
    await run.printed(/begun/);
    const { pid } = await run.event("started");
    const stateOf = (of: number): string => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${of}/status`, "utf8"))![1]!;
    const bothAre = async (state: RegExp): Promise<void> => {
      await waitFor(`for ${state}`, async () => [pid, run.child.pid!].every((one) => state.test(stateOf(one))));
    };
    run.child.kill("SIGTSTP");
    await bothAre(/T/);
    run.child.kill("SIGCONT");
    await bothAre(/[RS]/);
  });

  it("ends when whoever reads its events is gone", async (t) => {
    const run = startRun(t, ["--watch", "--", "/bin/sh", "-c", "sleep 60"]);
    const { pid } = await run.event("started");
    run.child.stdout!.destroy();
    process.kill(pid, "SIGKILL"); // There is something to tell then.
    await run.ended;
  });

  it("ends what the program has started with it", async (t) => {
    const run = startRun(t, ["--", "/bin/sh", "-c", "sleep 60 & echo begun $!; wait $!; exit 3"]);
    const [, sleeper] = await run.printed(/begun (\d+)/);
    process.kill((await run.event("started")).pid, "SIGKILL");
    assert.equal((await run.ended).code, 137);
    await gone(Number(sleeper));
  });

  it("leaves no process, no socket file and no folder when the launcher is killed", async (t) => {
    const env = temporary(t);
    const folder = makeProject(t, {});
    const socket = join(folder, "admin.sock");
    const lines = `${SERVER.replace('http: "127.0.0.1:0"', "http: 1, admin: 2")}await activation.listen(http.createServer(), "admin");
import("node:child_process").then(({ spawn }) => console.log("grandchild", spawn("sleep", ["60"]).pid));`;
    const run = startRun(t, ["-s", "http=127.0.0.1:0", "-s", `admin=${socket}`, "--", ...script(t, lines)], { env });
    const [, grandchild] = await run.printed(/grandchild (\d+)/);
    const { pid } = await run.event("ready");
    assert.ok(existsSync(socket));
    run.child.kill("SIGKILL");
    await gone(pid);
    await gone(Number(grandchild));
    await waitFor("for the socket file to go", async () => !existsSync(socket), { interval: 20 });
    await waitFor("for the folder to go", async () => left(env).length === 0, { interval: 20 });
  });

  it("kills what ignores SIGTERM when the launcher is killed", async (t) => {
    const run = startRun(t, ["--", "/bin/sh", "-c", "trap '' TERM; echo begun; while :; do sleep 0.1; done"]);
    await run.printed(/begun/);
    const { pid } = await run.event("started");
    run.child.kill("SIGKILL");
    await gone(pid);
  });

  it("takes its socket file away at the end, and not one that somebody else has put there", async (t) => {
    const folder = makeProject(t, {});
    const socket = join(folder, "s.sock");
    const run = startRun(t, ["-s", `http=${socket}`, "--", ...script(t, SERVER)]);
    await run.event("ready");
    assert.match(await ask({ path: socket }), /^\d+$/);
    await run.stop();
    assert.deepEqual(readdirSync(folder), []);
  });
});
