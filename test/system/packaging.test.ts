import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { deb } from "../../packaging/deb/index.ts";
import type { PackageFile } from "../../packaging/packager.ts";
import type { Service } from "../../src/service.ts";
import { sampleRequest, sampleService, text } from "../packaging/sample.ts";
import { buildExample } from "./build-example.ts";
import { CommandError } from "./command.ts";
import { startLoad } from "./load.ts";
import type { Machine } from "./machine.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

systemTest("packaging: a package that would replace files of the system is refused as a whole", async (machine, t) => {
  await machine.write("/usr/lib/systemd/system/mine.service", "[Service]\nExecStart=/bin/true\n");
  const before = await contents(machine);
  for (const [service, owner] of [
    ["dbus", /system\/dbus\.service is of the package dbus\n/],
    ["systemd", /\/lib\/systemd\/systemd is of the package systemd\n/],
    ["mine", /\/usr\/lib\/systemd\/system\/mine\.service is of no package\n/],
  ] as const) {
    const files = { [`/usr/lib/${service}/${service}`]: "#!/bin/sh\n", ...unit(`${service}.service`, {}) };
    const path = await pack(t, { name: service, packageName: `my-${service}` }, files);
    const { stderr } = await refused(machine.install(path));
    assert.match(stderr, owner);
    assert.match(stderr, /Nothing has been changed\. .*\n.*another name/);
    await machine.try(["dpkg", "--purge", `my-${service}`]);
  }
  assert.deepEqual(await contents(machine), before);
  assert.match((await machine.run("systemctl is-system-running || true")).stdout, /^(running|degraded)$/m);
});

systemTest("packaging: a purge removes what the service wrote, and nothing else", async (machine, t) => {
  const directories = { state: true, cache: true, logs: true, configuration: true };
  const path = await pack(
    t,
    { directories, start: "boot" },
    unit("lunchd.service", {
      Service: [
        "Type=exec",
        "ExecStart=/bin/sleep infinity",
        "DynamicUser=yes",
        "StateDirectory=lunchd",
        "CacheDirectory=lunchd",
      ],
      Install: ["WantedBy=multi-user.target"],
    }),
  );
  await machine.install(path);
  await machine.run("touch /var/lib/lunchd/soup /var/cache/private/lunchd/soup && mkdir /var/log/lunchd");
  assert.equal((await machine.run("readlink /var/lib/lunchd")).stdout, "private/lunchd\n");
  await machine.run("touch /var/log/lunchd/of-another");
  const { stderr } = await machine.run("dpkg --purge acme-lunchd");
  assert.match(stderr, /acme-lunchd: \/var\/log\/lunchd is kept/);
  const { stdout } = await machine.run("find /var /etc -name '*lunchd*' -o -name soup -o -name of-another");
  assert.deepEqual(stdout.trimEnd().split("\n").sort(), ["/var/log/lunchd", "/var/log/lunchd/of-another"]);

  step("with a user that the administrator gave it");
  await machine.write("/etc/systemd/system/lunchd.service.d/user.conf", "[Service]\nDynamicUser=no\nUser=games\n");
  await machine.install(path);
  await machine.run("touch /var/lib/lunchd/soup");
  assert.match((await machine.run("dpkg --purge acme-lunchd")).stderr, /\/var\/lib\/lunchd is kept/);
  await machine.run("test -f /var/lib/lunchd/soup");
});

systemTest(
  "packaging: a unix socket that an upgrade drops takes its file along; the other loses nothing",
  async (machine) => {
    const [hello, listen] = ["hello: { listen: 80, noDelay: true },", 'await activation.listen(server, "hello");'];
    const both = await buildExample("hello", {
      replace: {
        "rouse.config.ts": [hello, `${hello} admin: { listen: "unix:/run/hello.sock" },`],
        "src/server.ts": [listen, `${listen}\nawait activation.listen(createServer(), "admin");`],
      },
    });
    const newer = await buildExample("hello", {
      version: "1.1.0",
      replace: { "src/server.ts": ["Hello World!", "Hello again!"] },
    });
    await machine.install(both.path("deb"));
    await machine.run("test -S /run/hello.sock");
    const load = await startLoad(machine, "http://127.0.0.1/");
    await machine.install(newer.path("deb"));
    await machine.waitFor("the new version answers", async () =>
      (await machine.get("http://127.0.0.1/")).body.includes("again"),
    );
    const { requests, failures } = await load.stop();
    step(`${requests} requests, ${failures.length} failed`);
    assert.deepEqual(failures, []);
    await machine.run("test ! -e /run/hello.sock");
    assert.equal(await machine.show("hello-admin.socket", "LoadState"), "not-found");
  },
);

systemTest("packaging: a port that is taken is told with the unit and the next step", async (machine) => {
  await machine.write("/run/systemd/system/other.socket", "[Socket]\nListenStream=80\nAccept=yes\n");
  await machine.write("/run/systemd/system/other@.service", "[Service]\nExecStart=/bin/true\n");
  await machine.run("systemctl start other.socket");
  const { stderr } = await machine.install((await buildExample("hello")).path("deb"));
  assert.match(stderr, /rouse-hello: systemctl start hello\.socket failed; the package is installed all the same/);
  assert.match(stderr, /systemctl status hello\.socket; journalctl -u hello\.socket/);
  assert.match((await machine.run("dpkg --status rouse-hello")).stdout, /^Status: install ok installed$/m);
  assert.match(await machine.journal("hello.socket"), /Address already in use/);
});

systemTest("packaging: a setting that the administrator overrides is no change, another is", async (machine, t) => {
  const socket = (...settings: string[]) => ({
    ...unit("lunchd.socket", {
      Socket: ["ListenStream=8090", "Service=lunchd.service", ...settings],
      Install: ["WantedBy=sockets.target"],
    }),
    ...unit("lunchd.service", { Service: ["ExecStart=/bin/sleep infinity"] }),
  });
  const opened = async (version: string, ...settings: string[]) => {
    await machine.install(await pack(t, { version }, socket(...settings)));
    return await machine.show("lunchd.socket", "ActiveEnterTimestampMonotonic");
  };
  await machine.write("/etc/systemd/system/lunchd.socket.d/mine.conf", "[Socket]\nBacklog=7\n");
  const first = await opened("1.0.0", "Backlog=10");
  assert.equal(await opened("1.1.0", "Backlog=20"), first);
  assert.notEqual(await opened("1.2.0", "Backlog=20", "KeepAlive=yes"), first);
});

systemTest("packaging: a renamed service is stopped under its old name", async (machine, t) => {
  const files = (name: string) => ({
    ...unit(`${name}.socket`, { Socket: ["ListenStream=8090"], Install: ["WantedBy=sockets.target"] }),
    ...unit(`${name}.service`, {
      Unit: [`Requires=${name}.socket`],
      Service: [`ExecStart=/bin/sleep infinity`],
      Install: ["WantedBy=multi-user.target"],
    }),
  });
  await machine.install(await pack(t, { start: "boot" }, files("old")));
  assert.equal(await machine.show("old.service", "ActiveState"), "active");
  const { stderr } = await machine.install(await pack(t, { start: "boot", version: "2.0.0" }, files("new")));
  assert.doesNotMatch(stderr, /failed/);
  for (const kind of ["socket", "service"]) {
    assert.equal(await machine.show(`old.${kind}`, "ActiveState"), "inactive");
    assert.equal(await machine.show(`new.${kind}`, "ActiveState"), "active");
  }
  assert.equal((await machine.run("find /etc/systemd /var/lib/systemd -name 'old.s*'")).stdout, "");
});

// --- internal ---

/** A unit's file by its sections. */
function unit(name: string, sections: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const lines = Object.entries(sections).map(([section, settings]) => `[${section}]\n${settings.join("\n")}\n`);
  return { [`/usr/lib/systemd/system/${name}`]: lines.join("\n") };
}

/** Writes a package of these files without any definition, so that it may be one that the definition would refuse. */
async function pack(t: TestContext, changes: Partial<Service>, texts: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rouse-packaging-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const service = sampleService({
    directories: { state: false, cache: false, logs: false, configuration: false },
    ...changes,
  });
  const files: PackageFile[] = Object.entries(texts).map(([path, content]) => text(path, content));
  const units = files
    .filter(({ path }) => path.startsWith("/usr/lib/systemd/system/"))
    .map(({ path }) => {
      const kind = path.endsWith(".socket") ? ("socket" as const) : ("service" as const);
      const installable = texts[path]!.includes("[Install]");
      return { name: path.slice(24), kind, installable, start: kind === "socket" || service.start === "boot" };
    });
  const path = join(folder, deb.fileName(service, "linux-x64"));
  await deb.write(sampleRequest("/nowhere", { service, files, units, libraries: [] }), path);
  return path;
}

async function refused(installation: Promise<unknown>): Promise<{ readonly stderr: string }> {
  const error = await installation.then(
    () => assert.fail("it was installed"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof CommandError && error.result !== undefined, String(error));
  return error.result;
}

/** All files below /usr/lib/systemd by their sums, and all others on the disk by their names. */
async function contents(machine: Machine): Promise<string[]> {
  const sums = await machine.run("find /usr/lib/systemd -type f -exec md5sum {} + | sort");
  return [...(await machine.files()), ...sums.stdout.split("\n")];
}
