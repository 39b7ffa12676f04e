import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupHierarchies } from "./cgroup.ts";
import { CommandError } from "./command.ts";
import { processesOf } from "./host-processes.ts";
import { bootMachine } from "./machine.ts";
import { hostTest, systemTest } from "./require.ts";
import { defaultSuite } from "./root.ts";
import { step } from "./step.ts";
import { waitFor } from "./wait.ts";

systemTest("boots a Debian whose process 1 is systemd: 12 with 252, or 13 with 257", async (machine) => {
  step("booted");
  const [debian, systemd] = defaultSuite === "trixie" ? [/^13\./, /^systemd 257 /] : [/^12\./, /^systemd 252 /];
  assert.match((await machine.run("cat /etc/debian_version")).stdout, debian);
  assert.equal((await machine.run("cat /proc/1/comm")).stdout, "systemd\n");
  assert.match((await machine.run("systemctl --version")).stdout, systemd);
  assert.equal((await machine.try("systemctl is-system-running")).stdout, "running\n");
});

systemTest("has a network of its own, with nothing but loopback", async (machine) => {
  assert.notEqual(machine.network, readlinkSync("/proc/self/ns/net"));
  assert.equal((await machine.run("readlink /proc/1/ns/net")).stdout.trim(), machine.network);
  assert.match((await machine.run("ip -brief address")).stdout, /^lo +\S+ +127\.0\.0\.1\/8 ::1\/128 *\n$/);

  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { port: number };
    await assert.rejects(machine.get(`http://127.0.0.1:${port}/`), /connect/);
    assert.equal(await machine.listens(port), false);
  } finally {
    server.close();
  }
});

systemTest("speaks HTTP to a socket-activated service, and looks at its process", async (machine) => {
  await machine.write("/usr/local/bin/greet", answerScript);
  await machine.run("chmod 755 /usr/local/bin/greet");
  await machine.write("/etc/systemd/system/greet.socket", "[Socket]\nListenStream=8080\nAccept=yes\n");
  const connection = "[Service]\nExecStart=/usr/local/bin/greet\nStandardInput=socket\nStandardError=journal\n";
  await machine.write("/etc/systemd/system/greet@.service", connection);
  await machine.write("/etc/systemd/system/sleeper.service", sleeperUnit);
  await machine.run("systemctl daemon-reload && systemctl start greet.socket sleeper.service");

  assert.equal(await machine.listens(8080), true);
  const answer = await machine.get("http://127.0.0.1:8080/");
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.headers["x-greeting"], ["yes"]);
  assert.equal(answer.body, "greetings\n");
  assert.ok(answer.milliseconds > 0 && answer.milliseconds < 5_000, `${answer.milliseconds} ms`);
  await machine.waitFor("the journal tells it", async () => (await machine.journal("greet@*")).includes("greeted"));

  assert.equal(await machine.show("sleeper.service", "ActiveState"), "active");
  const sleeper = await machine.process("sleeper.service");
  assert.equal(sleeper.user, "sleeper");
  assert.notEqual(sleeper.uid, 0);
  assert.deepEqual(sleeper.commandLine, ["/bin/sleep", "1000"]);
  assert.equal(sleeper.cgroup, "/system.slice/sleeper.service");
  assert.equal(sleeper.capabilities.bounding, 1n << 12n);
  assert.equal(sleeper.capabilities.effective, 0n);
  assert.equal(sleeper.seccompMode, 2);
  assert.equal(sleeper.noNewPrivileges, true);
  assert.notEqual(sleeper.network, machine.network);
  await assert.rejects(machine.process("greet.service"), /greet\.service has no process/);
});

systemTest("lists every file, with type, mode and owner", async (machine) => {
  const before = await machine.files();
  assert.ok(before.includes("f 0644 root:root /etc/debian_version"));
  assert.deepEqual(await machine.files(), before);
  await machine.run("ln -s /nowhere '/srv/a link' && install -m 4750 -g adm /dev/null /opt/tool");
  const added = (await machine.files()).filter((line) => !before.includes(line));
  assert.deepEqual(added, ["f 04750 root:adm /opt/tool", "l 0777 root:root /srv/a link -> /nowhere"]);
});

systemTest("reboots with the same disk", async (machine) => {
  const bootId = async () => (await machine.run("cat /proc/sys/kernel/random/boot_id")).stdout;
  await machine.run("echo kept >/etc/kept && echo lost >/run/lost");
  const first = await bootId();
  step("reboots");
  await machine.reboot();
  step("is up again");
  assert.notEqual(await bootId(), first);
  assert.equal((await machine.run("cat /etc/kept")).stdout, "kept\n");
  assert.equal((await machine.try("cat /run/lost")).code, 1);
});

systemTest("copies files in with their mode", async (machine) => {
  const folder = await mkdtemp(join(tmpdir(), "copied-in-"));
  try {
    const bytes = Buffer.alloc(3_000_000, "bytes");
    await writeFile(join(folder, "tool"), bytes, { mode: 0o751 });
    await machine.copyIn(join(folder, "tool"), "/opt/new/folder/tool");
    const { stdout } = await machine.run("stat -c '%a %s' /opt/new/folder/tool");
    assert.equal(stdout, `751 ${bytes.length}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

systemTest("tells command, exit code and output of what fails", async (machine) => {
  const error = await machine.run("echo spoken; echo complained >&2; exit 3").catch((caught: unknown) => caught);
  assert.ok(error instanceof CommandError);
  assert.match(
    error.message,
    /# echo spoken; .*exit 3\n {2}exit code 3\n {2}stdout:\n {4}spoken\n {2}stderr:\n {4}complained$/,
  );
  assert.equal((await machine.try("exit 3")).code, 3);
  await assert.rejects(machine.run("sleep 1000", { timeout: 100 }), /# sleep 1000\n {2}took longer than 100 ms/);
  await assert.rejects(
    machine.waitFor("the moon is blue", async () => false, { timeout: 100 }),
    /waited 100 ms in vain: the moon is blue/,
  );
});

hostTest("two machines run at the same time, apart from each other", async () => {
  await using first = await bootMachine();
  await using second = await bootMachine();
  assert.notEqual(first.network, second.network);
  await first.run("touch /etc/mark && systemctl stop systemd-logind.service");
  assert.equal((await second.try("test -e /etc/mark")).code, 1);
  assert.equal(await second.show("systemd-logind.service", "ActiveState"), "active");
});

hostTest("disposal leaves no process, mount, cgroup or folder, with clients running and a test failing", async () => {
  let name = "";
  let client = 0;
  const failing = async () => {
    await using machine = await bootMachine();
    name = machine.name;
    client = machine.spawn(["sleep", "1000"]).pid;
    await machine.run("(sleep 1000 &) >/dev/null 2>&1");
    assert.notDeepEqual(traces(name), []);
    throw new Error("the test failed");
  };
  await assert.rejects(failing, /the test failed/);
  assert.deepEqual(traces(name), []);
  assert.equal(existsSync(`/proc/${client}`), false);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  hostTest(`a run ended by ${signal} leaves no process and no mount`, async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "boot-and-wait.ts")]);
    const name = String((await once(child.stdout, "data"))[0]).trim();
    assert.notDeepEqual(traces(name), []);
    child.kill(signal);
    await once(child, "exit");
    assert.equal(child.signalCode, signal);
    // Nobody was left to tidy up after SIGKILL: the next machine does.
    await waitFor("its processes are gone", async () => processesOf(name).length === 0);
    if (signal === "SIGKILL") await (await bootMachine())[Symbol.asyncDispose]();
    assert.deepEqual(traces(name), []);
  });
}

// --- internal ---

const answerScript = `#!/bin/sh
while read -r line && [ "$line" != "$(printf '\\r')" ]; do :; done
echo greeted >&2
printf 'HTTP/1.1 201 Created\\r\\nX-Greeting: yes\\r\\nContent-Length: 10\\r\\n\\r\\ngreetings\\n'
`;

const sleeperUnit = `[Service]
ExecStart=/bin/sleep 1000
DynamicUser=yes
CapabilityBoundingSet=CAP_NET_ADMIN
SystemCallFilter=@system-service
PrivateNetwork=yes
`;

/** Whatever on the host still carries the machine's name. */
function traces(name: string): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(name));
  const folders = [tmpdir(), ...cgroupHierarchies()]
    .map((parent) => join(parent, name))
    .filter((path) => existsSync(path));
  return [...mounts, ...folders, ...processesOf(name)];
}
