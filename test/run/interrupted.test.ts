import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { hello, makeProject } from "../helpers/project.ts";
import { root } from "../helpers/rouse.ts";
import { startRun } from "../helpers/run.ts";
import { script } from "./script.ts";

describe("rouse run: interrupted", () => {
  it("ends during the first build without starting anything, and leaves nothing", async (t) => {
    const env = { TMPDIR: makeProject(t, {}) };
    const run = startRun(t, ["--port", "http=0", makeProject(t, hello())], { env });
    await run.event("listening");
    run.child.kill("SIGTERM");
    await run.ended;
    assert.deepEqual(
      run.events.map(({ event }) => event),
      ["listening", "signal"],
    );
    assert.equal(run.stderr, "");
    assert.deepEqual(readdirSync(env.TMPDIR), []);
  });

  it("ends in the same way when a Ctrl-C in the terminal ends esbuild too", async (t) => {
    const run = startRun(t, ["--port", "http=0", makeProject(t, hello())], { detached: true });
    await run.event("listening");
    process.kill(-run.child.pid!, "SIGINT");
    assert.deepEqual(await run.ended, { code: 0, signal: null });
    assert.equal(run.stderr, "");
  });

  it("takes a Ctrl-C that npm or timeout(1) passes on once more for one", async (t) => {
    const lines = `process.on("SIGINT", () => setTimeout(() => process.exit(5), 300));
setInterval(() => {}, 1000); console.log("begun")`;
    const run = startRun(t, ["--", ...script(t, lines)]);
    await run.printed(/begun/);
    run.child.kill("SIGINT");
    await run.event("signal");
    run.child.kill("SIGINT");
    assert.deepEqual(await run.ended, { code: 5, signal: null });
  });

  it("goes on when somebody has ended esbuild, and builds again at the next change", async (t) => {
    const folder = makeProject(t, hello());
    const run = startRun(t, ["--watch", "--port", "http=0", folder]);
    await run.event("ready");
    const esbuild = childrenOf(run.child.pid!).find((pid) =>
      /esbuild/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8")),
    );
    process.kill(esbuild!, "SIGKILL");
    const server = readFileSync(join(folder, "src/server.ts"), "utf8");
    writeFileSync(join(folder, "src/server.ts"), `${server}//\n`);
    const { problems, keepsServing } = await run.event("build-failed");
    assert.deepEqual([problems[0]!.code, keepsServing], ["esbuild-gone", true]);
    writeFileSync(join(folder, "src/server.ts"), `${server}///\n`);
    await run.event("started", ({ cause }) => cause === "change");
  });

  it("ends although nobody reads what it tells", async (t) => {
    const command = script(
      t,
      `const { status } = activate();
setInterval(() => { for (let i = 0; i < 100; i++) status(i + "x".repeat(900)); }, 20);`,
    );
    const flood = ["/bin/sh", "-c", 'exec "$0" "$@" >/dev/null 2>&1', ...command];
    const child = spawn(join(root, "bin/rouse"), ["run", "--json", "--", ...flood], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    await once(child.stdout, "readable"); // Node reads some 64 KiB, and then waits for us.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    assert.notEqual(code, null);
  });
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}
