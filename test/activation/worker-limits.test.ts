import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { describe, it, type TestContext } from "node:test";
import { startWorker, type WorkerEnd } from "../../src/activation/worker-process.ts";
import { flags, node, runtime } from "./program.ts";

/** One worker that has `startLimit` milliseconds to get ready; gives its end, and what it has said. */
async function run(t: TestContext, startLimit: number, script: string): Promise<{ end: WorkerEnd; told: string[] }> {
  const told: string[] = [];
  const source = `import { activate, supervise } from ${JSON.stringify(runtime)};
    await supervise({ workers: 1 }, async () => { ${script} });`;
  const end = await new Promise<WorkerEnd>((resolve) => {
    const worker = startWorker(
      {
        file: node,
        args: [...flags, "--input-type=module", "--eval", source],
        cwd: tmpdir(),
        env: process.env,
        source: "systemd",
        sockets: [],
        startLimit,
        hangLimit: 2000,
      },
      {
        ready: () => told.push("ready"),
        idle() {},
        told: (assignment) => told.push(assignment),
        bind: () => Promise.reject(new Error("none")),
        ended: resolve,
      },
    );
    t.after(() => worker.kill());
  });
  return { end, told };
}

describe("a worker", () => {
  it("that does not get ready in time is killed", async (t) => {
    const { end } = await run(t, 1000, "activate(); setInterval(() => {}, 1000);");
    assert.match(end.what, /^worker \d+ was not ready within 1 s, and was killed$/);
    assert.deepEqual([end.code, end.wasReady], [null, false]);
  });

  it("gets the time that it asks for", async (t) => {
    const { end, told } = await run(
      t,
      5000,
      `const activation = activate(); activation.extendTimeout(60_000);
       setTimeout(() => { activation.ready("warm"); setTimeout(() => process.exit(3), 100); }, 6000);`,
    );
    assert.match(end.what, /^worker \d+ ended with exit code 3$/);
    assert.deepEqual([end.code, end.wasReady], [3, true]);
    assert.deepEqual(told, ["EXTEND_TIMEOUT_USEC=60000000", "ready", "STATUS=warm"]);
  });

  it("that is ready may be busy for less than its limit, and not for longer", async (t) => {
    const busy = "const busy = (time) => { const end = Date.now() + time; while (Date.now() < end); };";
    const { end } = await run(
      t,
      60_000,
      `${busy} const activation = activate(); await activation.ready(); setInterval(() => {}, 1000);
       setTimeout(() => { busy(300); console.error("still here"); setTimeout(() => busy(20_000), 500); }, 500);`,
    );
    assert.match(end.what, /^worker \d+ gave no sign of life for 2 s, and was killed$/);
    assert.ok(end.lived > 2500);
  });
});
