/** A service with workers, by its own package and units, on a real systemd. */
import assert from "node:assert/strict";
import { type Built, buildProgram } from "./build-example.ts";
import { long, raceIdle } from "./idle.ts";
import { startKeepAlive } from "./keep-alive.ts";
import { startLoad } from "./load.ts";
import type { Machine } from "./machine.ts";
import { askWeb } from "./probe.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

const url = "http://127.0.0.1/";
const path = "/usr/lib/probe/probe";

systemTest(
  "workers: a reload serves what is on disk; an 8 s request makes nobody wait and is answered",
  async (machine) => {
    const newer = await build({ version: "2" });
    await machine.install((await build()).path("deb"));
    await machine.run("systemctl start probe.service");
    assert.equal((await askWeb(machine)).version, "1");
    const main = await machine.show("probe.service", "MainPID");
    const slow = machine.get(`${url}slow?ms=8000`, { timeout: 20_000 });
    const load = await startLoad(machine, `${url}version`, 10);
    const kept = await startKeepAlive(machine, `${url}version`, 10, 20);

    await machine.copyIn(newer.path("executable"), path);
    await machine.run("systemctl reload probe.service");
    assert.equal((await askWeb(machine)).version, "2");
    const { requests, failures, answers, slowest } = await load.stop();
    const other = await kept.stop();
    step(`${requests} requests, the slowest took ${slowest.toFixed(0)} ms; ${other.requests} on kept connections`);
    assert.deepEqual([failures, other.failures], [[], []]);
    for (const one of [answers, other.answers]) assert.deepEqual(Object.keys(one), ['200 "1"\n', '200 "2"\n']);
    // Far below the 8 s that a restart would wait for.
    assert.ok(slowest < 4_000, `${slowest} ms`);

    assert.equal((await slow).body, '"slow"\n');
    await machine.waitFor("the old workers have ended", async () => (await processes(machine)).length === 3);
    assert.equal(await machine.show("probe.service", "MainPID"), main);
  },
);

systemTest(
  "workers: a version that does not get ready leaves the old one serving, and systemctl status says so",
  async (machine) => {
    const broken = await build({ before: "throw new Error('no database')" });
    await machine.install((await build()).path("deb"));
    await machine.run("systemctl start probe.service");
    const { version } = await askWeb(machine);
    await machine.copyIn(broken.path("executable"), path);
    const load = await startLoad(machine, `${url}version`, 10);
    await machine.run("systemctl reload probe.service");
    const { failures, answers } = await load.stop();
    assert.deepEqual([failures, Object.keys(answers)], [[], [`200 "${version}"\n`]]);
    assert.equal(await machine.show("probe.service", "ActiveState"), "active");
    const status = await machine.show("probe.service", "StatusText");
    assert.match(
      status,
      /^2 of 2 workers serve; reload failed: worker \d+ ended with exit code 1; the version before goes on/,
    );
  },
);

systemTest("workers: one that is killed is replaced, while the other serves", async (machine) => {
  await machine.install((await build()).path("deb"));
  await machine.run("systemctl start probe.service");
  const { pid } = await askWeb(machine);
  const before = await processes(machine);
  assert.equal(before.length, 3);
  await machine.run(`kill -9 ${pid}`);
  const load = await startLoad(machine, url, 10);
  await machine.waitFor("there is another one", async () => (await processes(machine)).length === 3);
  await machine.waitFor("both serve", async () => /^2 of 2/.test(await machine.show("probe.service", "StatusText")));
  assert.deepEqual((await load.stop()).failures, []);
  assert.equal(await machine.show("probe.service", "NRestarts"), "0");
  assert.equal((await processes(machine)).filter((one) => before.includes(one)).length, 2);
});

systemTest(
  "workers: the watchdog replaces a worker that is blocked, and a service whose supervisor is",
  async (machine) => {
    await machine.install((await build({ keys: 'watchdog: "2s",' })).path("deb"));
    await machine.run("systemctl start probe.service");
    const main = await machine.show("probe.service", "MainPID");
    const before = await processes(machine);
    await machine.try(`curl -sS ${url}block`);
    await machine.waitFor("both serve", async () => {
      const now = await processes(machine);
      return now.length === 3 && now.join() !== before.join();
    });
    assert.equal(await machine.show("probe.service", "MainPID"), main);
    assert.match(await machine.journal("probe.service"), /worker \d+ gave no sign of life for 2 s, and was killed/);

    await machine.run(`kill -STOP ${main}`);
    await machine.waitFor("there is another supervisor", async () => {
      return !["0", main].includes(await machine.show("probe.service", "MainPID"));
    });
    assert.equal((await askWeb(machine)).source, "systemd");
    assert.equal(await machine.show("probe.service", "NRestarts"), "1");
    await machine.waitFor("only the new processes run", async () => {
      const now = await processes(machine);
      return now.length === 3 && !now.some((one) => before.includes(one));
    });
  },
);

systemTest(
  "workers: an idle service ends with all its workers, and loses nobody who comes just then",
  async (machine) => {
    await machine.install((await build({ keys: 'idleExit: "1s",' })).path("deb"));
    const report = await raceIdle(machine, 1000, long ? 150 : 10, [80]);
    step(`${report.requests} requests, ${report.starts} starts`);
    assert.deepEqual(report.failures, []);
    await machine.waitFor(
      "it has ended",
      async () => (await machine.show("probe.service", "ActiveState")) === "inactive",
    );
    assert.equal(await machine.show("probe.service", "Result"), "success");
    assert.deepEqual(await processes(machine), []);
  },
  long ? { timeout: 10 * 60_000 } : {},
);

systemTest("workers: 10 restarts under load, and every request is answered", async (machine) => {
  await machine.install((await build()).path("deb"));
  await machine.run("systemctl start probe.service");
  const load = await startLoad(machine, `${url}slow?ms=20`, 10);
  const kept = await startKeepAlive(machine, `${url}slow?ms=20`, 20, 40);
  for (let count = 1; count <= 10; count++) await machine.run("systemctl restart probe.service");
  const [one, many] = await Promise.all([load.stop(), kept.stop()]);
  step(`${one.requests} requests, the slowest took ${one.slowest.toFixed(0)} ms; ${many.requests} on kept connections`);
  assert.deepEqual([one.failures, many.failures, many.reset], [[], [], 0]);
});

systemTest(
  "workers: systemctl stop answers what is in flight in each of them, and leaves no process",
  async (machine) => {
    await machine.install((await build()).path("deb"));
    await machine.run("systemctl start probe.service");
    const clients = await startKeepAlive(machine, `${url}slow?ms=3000`, 100, 0);
    await machine.waitFor("all are in flight", async () => {
      const { stdout } = await machine.run("ss --no-header --tcp state established '( sport = :80 )' | wc -l");
      return Number(stdout) === 100;
    });
    const [{ requests, failures, answers }] = await Promise.all([
      clients.stop(),
      machine.run("systemctl stop probe.service"),
    ]);
    assert.deepEqual(
      { requests, failures, answers },
      { requests: 100, failures: [], answers: { '200 "slow"\n': 100 } },
    );
    assert.equal(await machine.show("probe.service", "Result"), "success");
    assert.deepEqual(await processes(machine), []);
  },
);

// --- internal ---

interface Wanted {
  readonly version?: string;
  /** A statement for the beginning of the server. */
  readonly before?: string;
  /** For the definition. */
  readonly keys?: string;
}

/** The server `web` of the probe, with two workers. */
async function build({ version = "1", before = "", keys = "" }: Wanted = {}): Promise<Built> {
  const sockets = "sockets: { web: 80 },";
  return await buildProgram("probe", {
    version: `${version}.0.0`,
    replace: {
      "rouse.config.ts": [sockets, `${sockets} args: ["web"], workers: 2, ${keys}`],
      "src/web.ts": ['const version = "1";', `const version = "${version}"; ${before};`],
    },
  });
}

/** Process ids, the supervisor's included, in ascending order. */
async function processes(machine: Machine): Promise<string[]> {
  return (await machine.try("pgrep -x probe")).stdout.split("\n").filter((pid) => pid !== "");
}
