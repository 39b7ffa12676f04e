import assert from "node:assert/strict";
import { type Built, buildExample } from "./build-example.ts";
import { startLoad } from "./load.ts";
import type { Machine } from "./machine.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

const url = "http://127.0.0.1/";
const packageName = "rouse-hello";

systemTest("hello: listens before any process of it exists; the first request starts it", async (machine) => {
  await install(machine);
  assert.equal(await machine.listens(80), true);
  assert.equal(await machine.show("hello.service", "ActiveState"), "inactive");
  await assertNoProcess(machine);

  const answer = await machine.get(url);
  step(`first answer after ${answer.milliseconds.toFixed(0)} ms`);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, "Hello World!\n");
  assert.equal(await machine.show("hello.service", "ActiveState"), "active");
  assert.equal(await machine.show("hello.socket", "NoDelay"), "yes");
});

systemTest("hello: the process is confined, as the kernel sees it", async (machine) => {
  await install(machine);
  await machine.get(url);
  const process = await machine.process("hello.service");
  assert.deepEqual(process.commandLine, ["/usr/lib/hello/hello"]);
  assert.notEqual(process.uid, 0);
  assert.equal(process.user, "hello");
  assert.deepEqual(process.capabilities, { inheritable: 0n, permitted: 0n, effective: 0n, bounding: 0n, ambient: 0n });
  assert.equal(process.noNewPrivileges, true);
  assert.equal(process.seccompMode, 2);
  assert.notEqual(process.network, machine.network);

  const { stdout } = await machine.run("systemd-analyze security --no-pager hello.service");
  const exposure = Number(/Overall exposure level for hello\.service: ([\d.]+)/.exec(stdout)?.[1]);
  step(`systemd-analyze security: ${exposure}`);
  assert.ok(exposure <= 0.2, stdout);
});

systemTest("hello: stopping socket and service stops it; stopping the service alone does not", async (machine) => {
  await install(machine);
  await machine.get(url);
  await machine.run("systemctl stop hello.service");
  await assertNoProcess(machine);
  assert.equal((await machine.get(url)).body, "Hello World!\n");

  await machine.run("systemctl stop hello.socket hello.service");
  await assert.rejects(machine.get(url), /exit code 7/);
  await assertNoProcess(machine);
});

systemTest("hello: after a reboot it listens again, and waits for the first request", async (machine) => {
  await install(machine);
  await machine.reboot();
  assert.equal(await machine.listens(80), true);
  await assertNoProcess(machine);
  assert.equal((await machine.get(url)).body, "Hello World!\n");
});

systemTest("hello: an upgrade under load loses no request and keeps port and settings", async (machine) => {
  await install(machine);
  await newerHello();
  await machine.run("echo '# mine' >>/etc/default/hello");
  const opened = await machine.show("hello.socket", "ActiveEnterTimestampMonotonic");
  const load = await startLoad(machine, url);
  await upgrade(machine);
  await machine.waitFor("the new version answers", async () => (await machine.get(url)).body === "Hello again!\n");
  const { requests, failures, answers, last, slowest } = await load.stop();

  step(`${requests} requests, ${failures.length} failed, the slowest took ${slowest.toFixed(0)} ms`);
  assert.deepEqual(failures, []);
  assert.deepEqual(Object.keys(answers), ["200 Hello World!\n", "200 Hello again!\n"]);
  assert.equal(last, "200 Hello again!\n");
  assert.equal(await machine.show("hello.socket", "ActiveEnterTimestampMonotonic"), opened);
  assert.match((await machine.run("cat /etc/default/hello")).stdout, /^# mine$/m);
});

systemTest("hello: a removal leaves the settings and a closed port, a purge nothing", async (machine) => {
  const before = await machine.files();
  await install(machine);
  await machine.get(url);
  const added = async () => (await machine.files()).filter((line) => !before.includes(line));

  step("removes it");
  await machine.run(["dpkg", "--remove", packageName]);
  assert.equal(await machine.listens(80), false);
  await assertNoProcess(machine);
  // Whether its units are enabled is the administrator's setting too, and Debian keeps it as links; the rest is dpkg's own.
  const settings = /\/(var\/lib\/dpkg\/info|var\/lib\/systemd\/deb-systemd-helper-enabled|sockets\.target\.wants)\b/;
  const kept = (await added()).filter((line) => !settings.test(line));
  assert.deepEqual(kept, ["f 0644 root:root /etc/default/hello"]);

  step("purges it");
  await machine.run(["dpkg", "--purge", packageName]);
  assert.deepEqual(await machine.files(), before);
  assert.equal((await machine.try(["dpkg-query", "--show", packageName])).code, 1);
});

systemTest(
  "hello: a socket that a later version drops is forgotten, also when that one comes after a removal",
  async (machine) => {
    const before = await machine.files();
    const hello = "hello: { listen: 80, noDelay: true },";
    const replace = { "rouse.config.ts": [hello, `${hello} more: 81,`] } as const;
    await machine.install((await buildExample("hello", { replace })).path("deb"));
    assert.equal(await machine.listens(81), true);
    await machine.run(["dpkg", "--remove", packageName]);
    await upgrade(machine);
    assert.equal(await machine.listens(81), false);
    await machine.run(["dpkg", "--purge", packageName]);
    assert.deepEqual(await machine.files(), before);
  },
);

systemTest("hello: what the administrator disabled stays so after an upgrade", async (machine) => {
  await install(machine);
  assert.equal((await machine.run("systemctl is-enabled hello.socket")).stdout, "enabled\n");
  await machine.run("systemctl disable --now hello.socket");
  await upgrade(machine);
  assert.equal((await machine.try("systemctl is-enabled hello.socket")).stdout, "disabled\n");
  assert.equal(await machine.listens(80), false);
});

for (const [outcome, settings] of [
  ["that fails at its start", "ExecStart=/nowhere/at/all\nRestartSec=50ms"],
  ["that ends well without a look at its socket", "ExecStart=/bin/true\nType=exec\nNoExecPaths="],
] as const) {
  systemTest(`hello: a program ${outcome}, many times over, leaves the port open`, async (machine) => {
    await install(machine);
    await machine.write("/etc/systemd/system/hello.service.d/broken.conf", `[Service]\nExecStart=\n${settings}\n`);
    await machine.run("systemctl daemon-reload");
    await assert.rejects(machine.get(url, { timeout: 500 }), /timed out/);
    const starts = async () => (await machine.journal("hello.service")).match(/Starting hello\.service/g)?.length ?? 0;
    await machine.waitFor("it has started 10 times in vain", async () => (await starts()) >= 10, { timeout: 30_000 });
    assert.equal(await machine.show("hello.socket", "ActiveState"), "active");

    await machine.run("rm -r /etc/systemd/system/hello.service.d && systemctl daemon-reload");
    assert.equal((await machine.get(url)).body, "Hello World!\n");
  });
}

systemTest("hello: dpkg names the library that is missing", async (machine) => {
  await machine.run("dpkg --force-depends --remove libatomic1");
  const deb = (await buildExample("hello")).path("deb");
  await assert.rejects(machine.install(deb), /rouse-hello depends on libatomic1/);
});

// --- internal ---

async function install(machine: Machine): Promise<void> {
  const hello = await buildExample("hello");
  step("installs hello 1.0.0");
  await machine.install(hello.path("deb"));
}

async function upgrade(machine: Machine): Promise<void> {
  const newer = await newerHello();
  step("upgrades to hello 1.1.0");
  await machine.install(newer.path("deb"));
}

async function newerHello(): Promise<Built> {
  const replace = { "src/server.ts": ["Hello World!", "Hello again!"] } as const;
  return await buildExample("hello", { version: "1.1.0", replace });
}

async function assertNoProcess(machine: Machine): Promise<void> {
  assert.equal(await machine.show("hello.service", "MainPID"), "0");
  assert.equal((await machine.try(["pgrep", "--full", "/usr/lib/hello/hello"])).stdout, "");
}
