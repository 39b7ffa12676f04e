import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import type { PackageRequest, PackageUnit } from "../../packaging/packager.ts";
import { folder, sampleRequest, sampleService, serviceUnit, socketUnit, text } from "./sample.ts";
import { StandInSystem, versionOf } from "./stand-in-system.ts";
import { has, run } from "./tools.ts";

suite("first install", () => {
  test("enables every unit, then starts the sockets but not an on-demand service", async (t) => {
    const system = await machine(t);
    assert.deepEqual(system.install(await version({})), [
      ...enabling("lunchd-http.socket"),
      ...enabling("lunchd-admin.socket"),
      ...enabling("lunchd.service"),
      "systemctl --system daemon-reload",
      "deb-systemd-invoke start lunchd-http.socket lunchd-admin.socket",
    ]);
  });

  test("starts a service that is to start at boot, after its sockets", async (t) => {
    const system = await machine(t);
    const calls = system.install(await version({ boot: true }));
    assert.equal(calls.at(-1), "deb-systemd-invoke start lunchd-http.socket lunchd-admin.socket lunchd.service");
  });

  test("without a running systemd only enables", async (t) => {
    const system = await machine(t, { systemd: false });
    assert.deepEqual(system.install(await version({})), [
      ...enabling("lunchd-http.socket"),
      ...enabling("lunchd-admin.socket"),
      ...enabling("lunchd.service"),
    ]);
  });

  test("a unit that does not start leaves the package configured", async (t) => {
    const system = await machine(t);
    system.failing = "deb-systemd-invoke start";
    system.failed = ["lunchd-http.socket"];
    assert.ok(system.install(await version({})).length > 0);
    assert.match(system.stderr, /systemctl start lunchd-http\.socket failed; the package is installed all the same/);
    assert.match(system.stderr, /systemctl status lunchd-http\.socket; journalctl -u lunchd-http\.socket/);
    assert.doesNotMatch(system.stderr, /admin/, "that one did start");
  });

  test("refuses to replace what another package has under the other name of its folder, and unpacks nothing", async (t) => {
    const system = await machine(t);
    writeFileSync(
      join(system.root, "owned"),
      "systemd: /lib/systemd/system/lunchd.service\nlocal diversion from: /lib/systemd/system/lunchd-http.socket\n",
    );
    const made = await version({});
    assert.throws(
      () => system.install(made),
      /acme-lunchd would replace .*\n.*lunchd\.service is of the package systemd\n/,
    );
    assert.doesNotMatch(system.stderr, /http/);
    assert.deepEqual(system.list("usr/lib/systemd/system"), []);
    assert.throws(() => system.call(made, "preinst", "upgrade", "1", "2"), /of the package systemd/);
  });

  test("refuses to replace a unit of nobody's and a link of update-alternatives, but not what dpkg left half done", async (t) => {
    const extra = ["[", "lunchd"].map((name) => text(`/usr/bin/${name}`, ""));
    const made = await version({ extra });
    const system = await machine(t);
    const path = join(system.root, "usr/lib/systemd/system/lunchd.service");
    writeFileSync(path, "[Service]\n");
    assert.throws(() => system.install(made), /lunchd\.service is of no package\n/);
    writeFileSync(path, "# Made by Rouse. To change it\n[Service]\n");
    symlinkSync(join(system.root, "etc/alternatives/lunchd"), join(dirname(system.folder("usr/bin")), "bin/lunchd"));
    assert.throws(() => system.install(made), /bin\/lunchd is of no package\n/);
    rmSync(join(system.root, "usr/bin/lunchd"));
    writeFileSync(join(system.root, "owned"), `coreutils: /bin/[\n`);
    assert.throws(() => system.install(made), /bin\/\[ is of the package coreutils\n/);
    rmSync(join(system.root, "owned"));
    system.install(made);
    writeFileSync(path, "[Service]\n");
    system.upgrade(made);
  });

  test("makes users and folders before it starts anything", async (t) => {
    const system = await machine(t);
    const extra = [text("/usr/lib/sysusers.d/lunchd.conf", ""), text("/usr/lib/tmpfiles.d/lunchd.conf", "")];
    assert.deepEqual(system.install(await version({ extra })).slice(0, 2), [
      "systemd-sysusers lunchd.conf",
      "systemd-tmpfiles --create lunchd.conf",
    ]);
  });

  test("never starts a template, and stops its instances on removal", async (t) => {
    const system = await machine(t);
    const units: PackageUnit[] = [
      { name: "lunchd-qotd.socket", kind: "socket", installable: true, start: true },
      { name: "lunchd-qotd@.service", kind: "service", installable: false, start: false },
    ];
    const perConnection = await version({ units });
    assert.equal(system.install(perConnection).at(-1), "deb-systemd-invoke start lunchd-qotd.socket");
    assert.deepEqual(service(system.upgrade(perConnection)), ["start lunchd-qotd.socket"]);
    assert.deepEqual(service(system.remove()), ["stop lunchd-qotd.socket lunchd-qotd@*.service"]);
  });
});

suite("upgrade", () => {
  test("stops nothing before the new version is configured", async (t) => {
    const system = await installed(t);
    assert.deepEqual(system.unpackUpgrade(await version({})), []);
  });

  test("with the same sockets: sockets stay, the service restarts if it runs", async (t) => {
    const system = await installed(t);
    const calls = system.upgrade(await version({}));
    assert.deepEqual(calls.slice(-3), [
      "systemctl --system daemon-reload",
      "deb-systemd-invoke try-restart lunchd.service",
      "deb-systemd-invoke start lunchd-http.socket lunchd-admin.socket",
    ]);
    assert.deepEqual(system.list("run"), ["systemd"], "nothing is left for the next upgrade");
  });

  test("with workers: it goes over by a reload, if it runs and its unit and sockets are the same", async (t) => {
    const withWorkers = (changes: Partial<Shape> = {}) =>
      version({
        service: serviceUnit.replace("Type=notify", "Type=notify\nX-WorkersHandOver=1"),
        workers: 2,
        ...changes,
      });
    const upgrade = async (system: StandInSystem, changes?: Partial<Shape>) =>
      service(system.upgrade(await withWorkers(changes)))
        .filter((call) => / lunchd\.service$/.test(call))
        .at(-1);
    const system = await machine(t);
    system.install(await withWorkers());
    assert.equal(await upgrade(system), "try-restart lunchd.service", "it does not run");
    system.active = ["lunchd.service"];
    assert.equal(await upgrade(system), "reload lunchd.service");
    const http = socketUnit("http", "ListenStream=8090", "Backlog=7");
    assert.equal(await upgrade(system, { http }), "try-restart lunchd.service", "a socket has changed");
    assert.equal(await upgrade(system, { service: serviceUnit }), "try-restart lunchd.service", "the unit has changed");
  });

  test("comments, blank lines and other sections are no change of a socket", async (t) => {
    const system = await installed(t);
    const http = `# New\n${socketUnit("http", "; why", "", "ListenStream=8090").replace("[Install]", "[Install]\nAlso=x.socket")}`;
    assert.deepEqual(service(system.upgrade(await version({ http }))), [
      "try-restart lunchd.service",
      "start lunchd-http.socket lunchd-admin.socket",
    ]);
  });

  for (const setting of ["SocketMode=0600", "ListenStream=8091", "Backlog=10"]) {
    test(`with ${setting} in one socket: that one starts anew around the service's restart`, async (t) => {
      const system = await installed(t);
      const admin = socketUnit("admin", "ListenStream=/run/lunchd.sock", setting);
      assert.deepEqual(service(system.upgrade(await version({ admin }))), [
        "stop lunchd-admin.socket",
        "try-restart lunchd.service",
        "start lunchd-http.socket lunchd-admin.socket",
      ]);
    });
  }

  test("a changed socket takes a boot service along: what ran is started again", async (t) => {
    const system = await installed(t, { boot: true });
    const http = socketUnit("http", "ListenStream=8091");
    system.active = ["lunchd.service"];
    assert.equal(service(system.upgrade(await version({ http, boot: true }))).at(-1), "start lunchd.service");
    system.active = [];
    const again = service(system.upgrade(await version({ boot: true })));
    assert.equal(
      again.at(-1),
      "start lunchd-http.socket lunchd-admin.socket",
      "what the administrator stopped stays so",
    );
  });

  test("a change that the administrator's drop-in has the last word on leaves the socket alone", async (t) => {
    const system = await machine(t);
    mkdirSync(join(system.root, "etc/systemd/system/lunchd-http.socket.d"));
    writeFileSync(join(system.root, "etc/systemd/system/lunchd-http.socket.d/mine.conf"), "[Socket]\nBacklog=7\n");
    system.install(await version({}));
    const upgrade = async (...settings: string[]) =>
      service(system.upgrade(await version({ http: socketUnit("http", "ListenStream=8090", ...settings) })))[0];
    assert.equal(await upgrade("Backlog=10"), "try-restart lunchd.service");
    assert.equal(await upgrade("Backlog=11", "SocketMode=0600"), "stop lunchd-http.socket");
  });

  test("an administrator's own socket file in /etc is left alone", async (t) => {
    const system = await installed(t);
    writeFileSync(join(system.root, "etc/systemd/system/lunchd-http.socket"), "[Socket]\nListenStream=9999\n");
    const calls = service(system.upgrade(await version({ http: socketUnit("http", "ListenStream=8091") })));
    assert.ok(!calls.some((call) => call.startsWith("stop")), calls.join("\n"));
  });

  test("with a socket added: the restarting service brings it up", async (t) => {
    const system = await installed(t);
    const calls = system.upgrade(await version({ added: true }));
    assert.ok(calls.includes("deb-systemd-helper enable lunchd-extra.socket"));
    assert.deepEqual(service(calls), [
      "try-restart lunchd.service",
      "start lunchd-http.socket lunchd-admin.socket lunchd-extra.socket",
    ]);
  });

  test("with a socket removed: the old one is stopped and its links go", async (t) => {
    const system = await installed(t, { added: true });
    const calls = system.upgrade(await version({}));
    assert.deepEqual(service(calls), [
      "stop lunchd-extra.socket",
      "try-restart lunchd.service",
      "start lunchd-http.socket lunchd-admin.socket",
    ]);
    assert.equal(calls.at(-1), "deb-systemd-helper purge lunchd-extra.socket");
  });

  test("with a unix socket removed or moved: its file goes too, unless the socket goes on", async (t) => {
    const gone = { admin: socketUnit("admin", "ListenStream=/run/new.sock") };
    for (const [running, left] of [
      [[], ["systemd"]],
      [["lunchd-admin.socket"], ["lunchd.sock", "systemd"]],
    ] as const) {
      const system = await machine(t);
      system.active = running;
      const path = join(system.root, "run/lunchd.sock");
      system.install(await version({ admin: socketUnit("admin", `ListenStream=${path}`, "RemoveOnStop=yes") }));
      await using server = createServer().listen(path);
      await once(server, "listening");
      system.upgrade(await version(gone));
      assert.deepEqual(system.list("run"), left);
    }
  });

  test("with the service renamed: the old one is stopped with its sockets, the new one starts as after an install", async (t) => {
    const at = "/usr/lib/systemd/system";
    const units = [
      { name: "soup.socket", kind: "socket", installable: true, start: true },
      { name: "soup.service", kind: "service", installable: true, start: true },
    ] as const;
    const files = [
      text(`${at}/soup.service`, serviceUnit),
      text(`${at}/soup.socket`, socketUnit("http", "ListenStream=8090")),
    ];
    const renamed = await versionOf(sampleRequest("/bin/true", { files, units }));
    const system = await installed(t);
    system.inactive = ["lunchd-admin.socket"];
    const calls = system.upgrade(renamed);
    assert.deepEqual(service(calls), [
      "stop lunchd.service lunchd-http.socket",
      "try-restart soup.service",
      "start soup.socket soup.service",
    ]);
    assert.ok(calls.includes("deb-systemd-helper purge lunchd.service"));
  });

  test("with a socket removed where no systemd runs: its links go all the same", async (t) => {
    const system = await machine(t, { systemd: false });
    system.install(await version({ added: true }));
    const calls = system.upgrade(await version({}));
    assert.equal(calls.at(-1), "deb-systemd-helper purge lunchd-extra.socket");
    assert.deepEqual(service(calls), []);
  });

  test("keeps what the administrator disabled", async (t) => {
    const system = await installed(t);
    system.disabled = ["lunchd-admin.socket"];
    const calls = system.upgrade(await version({}));
    assert.ok(!calls.includes("deb-systemd-helper enable lunchd-admin.socket"));
    assert.ok(calls.includes("deb-systemd-helper update-state lunchd-admin.socket"));
    assert.ok(calls.includes("deb-systemd-helper enable lunchd-http.socket"));
  });

  test("to a version that does not start at boot takes the link away that did", async (t) => {
    const system = await installed(t);
    const wants = system.folder("etc/systemd/system/multi-user.target.wants");
    const other = system.folder("etc/systemd/system/graphical.target.wants");
    const state = system.folder("var/lib/systemd/deb-systemd-helper-enabled");
    const socketLink = join(system.folder("etc/systemd/system/sockets.target.wants"), "lunchd-http.socket");
    for (const path of [join(wants, "lunchd.service"), join(other, "lunchd.service"), socketLink])
      symlinkSync("x", path);
    const links = `${socketLink}\n${join(wants, "lunchd.service")}\n${join(other, "lunchd.service")}\n`;
    writeFileSync(join(state, "lunchd.service.dsh-also"), links);
    system.upgrade(await version({ service: serviceUnit.replace("multi-user", "graphical") }));
    assert.deepEqual(system.list("etc/systemd/system/multi-user.target.wants"), ["kept"]);
    assert.ok(lstatSync(join(other, "lunchd.service")), "still wanted");
    assert.ok(lstatSync(socketLink), "another unit's");
  });

  test("on top of one that was never configured compares with what still runs", async (t) => {
    const system = await installed(t);
    system.unpackUpgrade(await version({ http: socketUnit("http", "ListenStream=8091") }));
    const calls = service(system.upgrade(await version({ http: socketUnit("http", "ListenStream=8091") })));
    assert.equal(calls[0], "stop lunchd-http.socket");
  });

  test("that is called off restarts nothing and leaves no record", async (t) => {
    const system = await installed(t);
    const old = await version({});
    const next = await version({ http: socketUnit("http", "ListenStream=8091") });
    system.call(next, "preinst", "upgrade", "1", "2");
    assert.deepEqual(system.call(next, "postrm", "abort-upgrade", "1"), []);
    assert.deepEqual(service(system.call(old, "postinst", "abort-upgrade", "2")), [
      "start lunchd-http.socket lunchd-admin.socket",
    ]);
    assert.deepEqual(system.list("run"), ["systemd"]);
  });
});

suite("removal", () => {
  test("stops socket and service in one call, and masks nothing", async (t) => {
    const system = await installed(t);
    assert.deepEqual(system.remove(), [
      "deb-systemd-invoke stop lunchd-http.socket lunchd-admin.socket lunchd.service",
      "systemctl --system daemon-reload",
    ]);
  });

  test("without a running systemd asks nothing of it", async (t) => {
    const system = await machine(t, { systemd: false });
    system.install(await version({}));
    assert.deepEqual(system.remove(), []);
  });

  test("called off starts the sockets again", async (t) => {
    const system = await installed(t);
    const calls = service(system.call(await version({}), "postinst", "abort-remove"));
    assert.deepEqual(calls, ["start lunchd-http.socket lunchd-admin.socket"]);
  });

  test("then an install starts as the first one does", async (t) => {
    const system = await installed(t, { boot: true });
    system.remove();
    const calls = service(system.install(await version({ boot: true }), "1"));
    assert.deepEqual(calls, ["start lunchd-http.socket lunchd-admin.socket lunchd.service"]);
  });

  test("then an install of a version with a socket less forgets that socket", async (t) => {
    const system = await installed(t, { added: true });
    system.remove();
    const calls = system.install(await version({}), "1");
    assert.equal(calls.at(-1), "deb-systemd-helper purge lunchd-extra.socket");
    assert.deepEqual(system.list("run"), ["systemd"], "nothing is left for the next upgrade");
  });

  test("configuring again is harmless", async (t) => {
    const system = await installed(t);
    const calls = service(system.call(await version({}), "postinst", "configure", "1"));
    assert.deepEqual(calls, ["start lunchd-http.socket lunchd-admin.socket"]);
  });
});

suite("purge", () => {
  test("forgets the units and removes the folders that the definition asked for, real or private", async (t) => {
    const system = await installed(t);
    system.folder("var/lib/private/lunchd");
    symlinkSync("private/lunchd", join(system.root, "var/lib/lunchd"));
    mkdirSync(join(system.root, "var/cache/lunchd"), { recursive: true });
    system.folder("etc/lunchd");
    const foreign = [
      system.folder("var/log/lunchd"),
      system.folder("var/lib/lunchd2"),
      system.folder("etc/private/lunchd"),
    ];
    system.remove();
    assert.ok(existsSync(join(system.root, "var/lib/lunchd/kept")), "a removal keeps the state");
    assert.deepEqual(system.call(await version({}), "postrm", "purge"), [
      "deb-systemd-helper purge lunchd-http.socket lunchd-admin.socket lunchd.service",
    ]);
    assert.deepEqual(system.list("var/lib"), ["lunchd2", "private"]);
    assert.deepEqual(system.list("var/lib/private"), []);
    assert.deepEqual(system.list("var/cache"), []);
    assert.deepEqual(system.list("etc").includes("lunchd"), false);
    for (const path of foreign) assert.ok(existsSync(join(path, "kept")), path);
  });

  test("leaves what is not of the service's dynamic user, and says so", async (t) => {
    const system = await installed(t);
    const kept = system.folder("var/lib/lunchd");
    mkdirSync(join(system.root, "var/cache"));
    symlinkSync("/srv/cache", join(system.root, "var/cache/lunchd"));
    writeFileSync(join(system.root, "etc/lunchd"), "a file");
    system.remove();
    system.call(await version({}), "postrm", "purge");
    assert.ok(existsSync(join(kept, "kept")));
    assert.ok(system.stderr.includes(`acme-lunchd: ${kept} is kept: `), system.stderr);
    assert.deepEqual(system.list("var/cache"), ["lunchd"]);
    assert.ok(existsSync(join(system.root, "etc/lunchd")));
  });

  test("works where deb-systemd-helper is gone, and a second time", async (t) => {
    const system = await installed(t);
    system.remove();
    rmSync(join(system.root, "bin/deb-systemd-helper"));
    // The machine of this test may have one of its own.
    const hidden = { ...(await version({})) };
    const scripts = {
      ...hidden.scripts,
      postrm: hidden.scripts.postrm.replace("deb-systemd-helper)", "no-such-helper)"),
    };
    assert.deepEqual(system.call({ ...hidden, scripts }, "postrm", "purge"), []);
    assert.deepEqual(system.call({ ...hidden, scripts }, "postrm", "purge"), []);
  });

  test("leaves a folder that another package has", async (t) => {
    const system = await installed(t);
    const folders = ["var/lib/private/lunchd", "var/cache/private/lunchd", "etc/lunchd"].map((path) =>
      system.folder(path),
    );
    const [state, cache, settings] = [
      join(system.root, "var/lib/lunchd"),
      join(system.root, "var/cache/lunchd"),
      folders[2]!,
    ];
    const purge = async (owned: string) => {
      writeFileSync(join(system.root, "owned"), owned);
      system.call(await version({}), "postrm", "purge");
      return folders.filter((path) => existsSync(path));
    };
    assert.deepEqual(
      await purge(`other: ${state}\nmy-acme-lunchd: ${cache}\nacme-lunchd, other: ${settings}\n`),
      folders,
    );
    assert.deepEqual(await purge(`acme-lunchd: ${state}\nacme-lunchd: ${settings}\n`), []);
  });
});

suite("the scripts as such", () => {
  test("refuse an argument that dpkg never gives", async (t) => {
    const system = await installed(t);
    for (const script of ["preinst", "postinst", "prerm", "postrm"] as const) {
      const made = await version({});
      assert.throws(() => system.call(made, script, "nonsense"), /called with unknown argument 'nonsense'/);
    }
  });

  test("are POSIX: dash parses them, shellcheck has no complaint", async (t) => {
    const path = await folder(t);
    const { scripts } = await version({ added: true });
    for (const [name, content] of Object.entries(scripts)) {
      writeFileSync(join(path, name), content);
      run("dash", ["-n", join(path, name)]);
      assert.doesNotMatch(content, /@[A-Z]+@/);
    }
    if (has(t, "shellcheck", "shellcheck"))
      run(
        "shellcheck",
        readdirSync(path).map((name) => join(path, name)),
      );
  });

  test("take no name that the shell would not take for a word", async () => {
    const units: PackageUnit[] = [{ name: "x'; rm -rf /.service", kind: "service", installable: true, start: false }];
    await assert.rejects(version({ units }), /cannot stand in a maintainer script/);
    const service = sampleService({ name: ".." });
    await assert.rejects(versionOf(sampleRequest("/bin/true", { service })), /cannot stand in a maintainer script/);
  });
});

// --- internal ---

interface Shape {
  readonly http?: string;
  readonly admin?: string;
  readonly service?: string;
  readonly added?: boolean;
  readonly boot?: boolean;
  readonly workers?: number;
  readonly units?: readonly PackageUnit[];
  readonly extra?: PackageRequest["files"];
}

function version(shape: Shape) {
  const at = "/usr/lib/systemd/system";
  const socket = (name: string): PackageUnit => ({ name, kind: "socket", installable: true, start: true });
  const added = shape.added ?? false;
  return versionOf(
    sampleRequest("/bin/true", {
      files: [
        text(`${at}/lunchd.service`, shape.service ?? serviceUnit),
        text(`${at}/lunchd-http.socket`, shape.http ?? socketUnit("http", "ListenStream=8090")),
        text(`${at}/lunchd-admin.socket`, shape.admin ?? socketUnit("admin", "ListenStream=/run/lunchd.sock")),
        ...(added ? [text(`${at}/lunchd-extra.socket`, socketUnit("extra", "ListenStream=8099"))] : []),
        ...(shape.extra ?? []),
      ].filter(({ path }) => shape.units === undefined || !path.endsWith(".socket")),
      ...(shape.workers !== undefined && { service: sampleService({ workers: shape.workers }) }),
      units: shape.units ?? [
        socket("lunchd-http.socket"),
        socket("lunchd-admin.socket"),
        ...(added ? [socket("lunchd-extra.socket")] : []),
        { name: "lunchd.service", kind: "service", installable: true, start: shape.boot ?? false },
      ],
    }),
  );
}

async function machine(t: TestContext, { systemd = true } = {}): Promise<StandInSystem> {
  const root = join(await folder(t), "root");
  mkdirSync(root);
  return new StandInSystem(root, systemd);
}

async function installed(t: TestContext, shape: Shape = {}): Promise<StandInSystem> {
  const system = await machine(t);
  system.install(await version(shape));
  return system;
}

function enabling(unit: string): string[] {
  return [
    `deb-systemd-helper unmask ${unit}`,
    `deb-systemd-helper --quiet was-enabled ${unit}`,
    `deb-systemd-helper enable ${unit}`,
    `deb-systemd-helper update-state ${unit}`,
  ];
}

/** What is asked of running units. */
function service(calls: readonly string[]): string[] {
  const prefix = "deb-systemd-invoke ";
  return calls.filter((call) => call.startsWith(prefix)).map((call) => call.slice(prefix.length));
}
