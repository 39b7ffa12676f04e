import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readService } from "../../src/definition.ts";
import type { Service } from "../../src/service.ts";
import { emitUnits, environmentFile } from "../../systemd/manifests.ts";
import { type Unit, unitText } from "../../systemd/unit.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { has } from "../helpers/tools.ts";

const program = { path: "/usr/lib/greeter/greeter", notifies: true };

async function unitsOf(t: TestContext, definition: object, changes: Partial<typeof program> = {}): Promise<Unit[]> {
  return emitUnits(await serviceOf(t, definition), { ...program, ...changes });
}

async function serviceOf(t: TestContext, definition: object): Promise<Service> {
  return await readService(makeProject(t, hello({ definition })));
}

function values(unit: Unit | undefined, name: string): string[] {
  return unit!.entries.filter((entry) => entry.name === name).map(({ value }) => value);
}

const unitNamed = (units: Unit[], name: string): Unit | undefined => units.find((unit) => unit.name === name);

test("a socket named like the service is NAME.socket, any other NAME-KEY.socket", async (t) => {
  const units = await unitsOf(t, { sockets: { greeter: 80, admin: "unix:/run/admin.sock" } });
  assert.deepEqual(
    units.map(({ name }) => name),
    ["greeter.socket", "greeter-admin.socket", "greeter.service"],
  );
});

test("a socket's options reach its unit", async (t) => {
  const sockets = {
    greeter: { listen: [80, "127.0.0.1:8080", "[fe80::1%eth0]:8080"], backlog: 7, noDelay: true },
    wild: { listen: "0.0.0.0:81" },
    admin: { listen: "unix:/run/100% mine.sock", mode: "0600", group: "adm" },
  };
  const units = await unitsOf(t, { sockets });
  const [web, wild, admin] = units;
  assert.deepEqual(values(web, "ListenStream"), ["80", "127.0.0.1:8080", "[fe80::1%%eth0]:8080"]);
  assert.deepEqual(
    [values(web, "Backlog"), values(web, "NoDelay"), values(web, "FreeBind")],
    [["7"], ["yes"], ["yes"]],
  );
  assert.deepEqual(values(web, "FileDescriptorName"), ["greeter"]);
  assert.deepEqual([values(wild, "FreeBind"), values(wild, "NoDelay"), values(wild, "Backlog")], [[], [], []]);
  assert.deepEqual(values(admin, "ListenStream"), ["/run/100%% mine.sock"]);
  assert.deepEqual([values(admin, "SocketMode"), values(admin, "SocketGroup")], [["0600"], ["adm"]]);
});

test("one socket is required, of several each may fail alone", async (t) => {
  const one = unitNamed(await unitsOf(t, {}), "greeter.service");
  assert.deepEqual(
    [values(one, "Requires"), values(one, "Wants"), values(one, "After")],
    [["greeter-http.socket"], [], ["greeter-http.socket"]],
  );
  const two = unitNamed(await unitsOf(t, { sockets: { a: 1, b: 2 } }), "greeter.service");
  const both = ["greeter-a.socket greeter-b.socket"];
  assert.deepEqual(
    [values(two, "Requires"), values(two, "Wants"), values(two, "After"), values(two, "Also")],
    [[], both, both, both],
  );
});

test("on demand the service is started by its socket alone, at boot by the boot too", async (t) => {
  const wantedBy = async (definition: object) =>
    values(unitNamed(await unitsOf(t, definition), "greeter.service"), "WantedBy");
  assert.deepEqual(await wantedBy({}), []);
  assert.deepEqual(await wantedBy({ start: "boot" }), ["multi-user.target"]);
  const [socket] = await unitsOf(t, {});
  assert.deepEqual(values(socket, "WantedBy"), ["sockets.target"]);
});

test("UDP is datagrams, and no socket is required where the program runs without it", async (t) => {
  const units = await unitsOf(t, { sockets: { stats: { listen: ["udp:8125", "udp:[::1]:8126"], optional: true } } });
  const [stats, service] = units;
  assert.deepEqual(values(stats, "ListenDatagram"), ["8125", "[::1]:8126"]);
  assert.deepEqual([values(stats, "ListenStream"), values(stats, "FreeBind")], [[], ["yes"]]);
  assert.deepEqual([values(service, "Requires"), values(service, "Wants")], [[], ["greeter-stats.socket"]]);
});

test("a reload is a SIGHUP to a program that tells of it, and nothing to another, which that would kill", async (t) => {
  const reload = async (minimumVersion: number, notifies: boolean) => {
    const units = await unitsOf(t, { systemd: { minimumVersion } }, { notifies });
    const service = unitNamed(units, "greeter.service");
    return [values(service, "Type"), values(service, "ExecReload")];
  };
  assert.deepEqual(await reload(252, true), [["notify"], ['+/bin/sh -c "kill -HUP $$MAINPID && sleep 0.5"']]);
  // An older systemd would take notify-reload for simple, and kill the program for want of a sign of life.
  assert.deepEqual(await reload(253, true), [["notify-reload"], []]);
  assert.deepEqual(await reload(257, false), [["exec"], []]);
});

test("watchdog and credentials", async (t) => {
  const definition = {
    watchdog: "1.5m",
    credentials: { "tls.key": "/etc/greeter/100%-mine:$HOME.key", token: "greeter.token" },
  };
  const service = unitNamed(await unitsOf(t, definition), "greeter.service");
  assert.deepEqual(values(service, "WatchdogSec"), ["90s"]);
  assert.deepEqual(values(service, "LoadCredential"), [
    "tls.key:/etc/greeter/100%%-mine:$HOME.key",
    "token:greeter.token",
  ]);
  const silent = unitNamed(await unitsOf(t, definition, { notifies: false }), "greeter.service");
  assert.deepEqual(values(silent, "WatchdogSec"), []);
});

test("crashes and exits never close the port", async (t) => {
  const [socket, service] = await unitsOf(t, {});
  assert.deepEqual(values(service, "StartLimitIntervalSec"), ["0"]);
  assert.deepEqual(values(socket, "TriggerLimitIntervalSec"), ["0"]);
});

test("a program that does not speak to systemd is no Type=notify, which would never get ready", async (t) => {
  const type = async (notifies: boolean) =>
    values(unitNamed(await unitsOf(t, {}, { notifies }), "greeter.service"), "Type");
  assert.deepEqual(await type(true), ["notify"]);
  assert.deepEqual(await type(false), ["exec"]);
});

test("what an older systemd does not know is not in its unit, and never half of what belongs together", async (t) => {
  const directives = async (minimumVersion: number) =>
    unitNamed(await unitsOf(t, { systemd: { minimumVersion } }), "greeter.service")!.entries.map(({ name }) => name);
  for (const name of ["RestartSteps", "RestartMaxDelaySec"]) {
    assert.ok(!(await directives(253)).includes(name));
    assert.ok((await directives(254)).includes(name));
  }
});

test("network: none cuts it off, outbound lets it call and resolve", async (t) => {
  const families = async (network: string) => {
    const service = unitNamed(await unitsOf(t, { permissions: { network } }), "greeter.service");
    return [values(service, "PrivateNetwork"), values(service, "RestrictAddressFamilies")];
  };
  assert.deepEqual(await families("none"), [["yes"], ["AF_UNIX"]]);
  assert.deepEqual(await families("outbound"), [[], ["AF_UNIX AF_INET AF_INET6 AF_NETLINK"]]);
});

test("directories and the stop's patience", async (t) => {
  const directories = { state: true, cache: true, logs: true, configuration: true };
  const service = unitNamed(await unitsOf(t, { directories, stopTimeout: "90s" }), "greeter.service");
  for (const name of ["StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory"]) {
    assert.deepEqual(values(service, name), ["greeter"]);
  }
  assert.deepEqual(values(service, "StateDirectoryMode"), ["0700"]);
  assert.deepEqual(values(service, "TimeoutStopSec"), ["90s"]);
});

test("the administrator's file comes after the defaults, and is the same for every version", async (t) => {
  const service = await serviceOf(t, { environment: { LOG_LEVEL: "info" } });
  const lines = unitText(unitNamed(emitUnits(service, program), "greeter.service")!).split("\n");
  assert.ok(lines.indexOf("EnvironmentFile=-/etc/default/greeter") > lines.indexOf('Environment="LOG_LEVEL=info"'));
  assert.ok(lines.includes('Environment="NODE_ENV=production"'));
  assert.deepEqual(environmentFile(service), environmentFile(await serviceOf(t, { version: "9.9.9" })));
});

test("NODE_ENV is the definition's where it says so", async (t) => {
  const service = unitNamed(await unitsOf(t, { environment: { NODE_ENV: "staging" } }), "greeter.service");
  assert.deepEqual(values(service, "Environment"), ['"NODE_ENV=staging"']);
});

test("systemd-analyze verify has nothing to say of either unit", async (t) => {
  if (!has(t, "systemd-analyze", "systemd")) return;
  const sockets = {
    greeter: { listen: [80, "127.0.0.1:81"], backlog: 7, noDelay: true },
    admin: { listen: "unix:/run/a%b.sock", group: "root" },
    stats: { listen: "udp:8125", optional: true },
  };
  const definition = {
    sockets,
    args: ["--a", nasty],
    environment: { NASTY: nasty },
    directories: { state: true },
    start: "boot",
    watchdog: "1.5s",
    credentials: { key: "/etc/100%-mine:$HOME.key", token: "greeter.token" },
  };
  const folder = makeProject(t, {});
  const path = join(folder, "greeter");
  writeFileSync(path, "#!/bin/sh\n");
  chmodSync(path, 0o755);
  for (const minimumVersion of [252, 257]) {
    if (minimumVersion > systemdVersion()) continue;
    const units = await unitsOf(t, { ...definition, systemd: { minimumVersion } }, { path });
    const files = units.map((unit) => {
      const file = join(folder, unit.name);
      writeFileSync(file, unitText(unit));
      return file;
    });
    const { status, stdout, stderr } = spawnSync(
      "systemd-analyze",
      ["verify", "--recursive-errors=one", "--man=no", ...files],
      { encoding: "utf8" },
    );
    assert.equal(`${stdout}${stderr}`, "");
    assert.equal(status, 0);
  }
});

test("the exposure by systemd-analyze security is at most 0.2, and 1.2 with outbound network", async (t) => {
  if (!has(t, "systemd-analyze", "systemd")) return;
  const exposure = async (definition: object): Promise<number> => {
    const folder = makeProject(t, {});
    const unit = unitNamed(await unitsOf(t, definition), "greeter.service")!;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, unit.name), unitText(unit));
    const args = ["security", "--offline=true", "--no-pager", join(folder, unit.name)];
    const output = spawnSync("systemd-analyze", args, { encoding: "utf8" }).stdout;
    return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(output)?.[1]);
  };
  const promised = { watchdog: "30s", idleExit: "10m", workers: 2, credentials: { key: "/etc/key" } };
  const [none, outbound] = [await exposure(promised), await exposure({ permissions: { network: "outbound" } })];
  t.diagnostic(`exposure: ${none} with network none, ${outbound} with outbound`);
  assert.ok(none <= 0.2, `none: ${none}`);
  assert.ok(outbound <= 1.2, `outbound: ${outbound}`);
});

test("the emission is stable: one golden file for a service that uses most of it", async (t) => {
  const definition = {
    version: "1.0.0",
    description: "Greets at 100%",
    homepage: "https://example.com/greeter",
    args: ["--greeting", 'Say "hi" to $USER'],
    environment: { LOG_LEVEL: "info" },
    directories: { state: true },
    sockets: {
      greeter: { listen: 80, adopt: 3000, noDelay: true },
      admin: "unix:/run/greeter.sock",
      stats: { listen: "udp:8125", optional: true },
    },
    watchdog: "30s",
    idleExit: "10m",
    workers: 2,
    credentials: { "tls.key": "/etc/greeter/tls.key" },
  };
  const text = (await unitsOf(t, definition)).map((unit) => `### ${unit.name}\n${unitText(unit)}`).join("\n");
  t.assert.fileSnapshot(text, join(import.meta.dirname, "../golden/greeter.units"), {
    serializers: [(value) => value as string],
  });
});

const nasty = `a 'b' "c" $HOME \${HOME} %h %% \\n \\ ; # é\t\n\x01\x7f end\\`;

function systemdVersion(): number {
  return Number(/\d+/.exec(execFileSync("systemd-analyze", ["--version"], { encoding: "utf8" }))?.[0]);
}
