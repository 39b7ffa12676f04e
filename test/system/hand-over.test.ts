/** A package with workers goes over to its new version by a reload: nobody waits, however long a request takes. */
import assert from "node:assert/strict";
import { type Built, buildExample } from "./build-example.ts";
import { startLoad } from "./load.ts";
import type { Machine } from "./machine.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

const url = "http://127.0.0.1/";

systemTest(
  "hand-over: an upgrade during a request of 8 s makes nobody wait, and the request is answered",
  async (machine) => {
    await machine.install((await slowHello("1.0.0", "Hello World!")).path("deb"));
    const newer = await slowHello("1.1.0", "Hello again!");
    await machine.get(url);
    const main = await machine.show("hello.service", "MainPID");
    const slow = machine.get(`${url}slow`, { timeout: 20_000 });
    const load = await startLoad(machine, url);

    step("upgrades");
    await machine.install(newer.path("deb"));
    assert.equal((await machine.get(url)).body, "Hello again!\n");
    const { requests, failures, answers, last, slowest } = await load.stop();
    step(`${requests} requests, ${failures.length} failed, the slowest took ${slowest.toFixed(0)} ms`);
    assert.deepEqual(failures, []);
    assert.deepEqual(Object.keys(answers), ["200 Hello World!\n", "200 Hello again!\n"]);
    assert.equal(last, "200 Hello again!\n");
    // Far below the 8 s that a restart would wait for.
    assert.ok(slowest < 4000, `${slowest} ms`);
    assert.equal((await slow).body, "Hello World!\n");
    assert.equal(await machine.show("hello.service", "MainPID"), main);
  },
);

systemTest(
  "hand-over: a new version that does not start leaves the old one serving, and dpkg says so",
  async (machine) => {
    await machine.install((await slowHello("1.0.0", "Hello World!")).path("deb"));
    const broken = await buildExample("hello", {
      version: "1.1.0",
      replace: {
        "rouse.config.ts": withWorkers,
        "src/server.ts": ["const server =", "process.exit(3); const server ="],
      },
    });
    await machine.get(url);
    const { stderr } = await machine.install(broken.path("deb"));
    assert.match(
      stderr,
      /the new version is installed, but the one before goes on serving: .*reload failed: worker \d+ ended with exit code 3/,
    );
    assert.equal((await machine.get(url)).body, "Hello World!\n");
  },
);

systemTest("hand-over: where the unit has changed, the service starts anew", async (machine) => {
  const hello = await buildExample("hello");
  await machine.install(hello.path("deb"));
  await machine.get(url);
  const before = await machine.show("hello.service", "MainPID");
  await machine.install((await slowHello("1.1.0", "Hello again!")).path("deb"));
  assert.equal((await machine.get(url)).body, "Hello again!\n");
  assert.notEqual(await machine.show("hello.service", "MainPID"), before);
  await assertNoneLeft(machine);
});

// --- internal ---

const withWorkers = ['entry: "src/server.ts",', 'entry: "src/server.ts", workers: 2,'] as const;

/** With two workers, and a path /slow that takes 8 seconds. */
async function slowHello(version: string, text: string): Promise<Built> {
  const answer = `(request, response) => {
    setTimeout(() => response.end("${text}\\n"), request.url === "/slow" ? 8000 : 0);
  });
  void ((_request: unknown, response: import("node:http").ServerResponse) => {`;
  return await buildExample("hello", {
    version,
    replace: { "rouse.config.ts": withWorkers, "src/server.ts": ["(_request, response) => {", answer] },
  });
}

async function assertNoneLeft(machine: Machine): Promise<void> {
  await machine.run("systemctl stop hello.socket hello.service");
  assert.equal((await machine.try(["pgrep", "--full", "/usr/lib/hello/hello"])).stdout, "");
}
