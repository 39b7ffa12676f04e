import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { installerOf } from "../../src/doctor/host.ts";
import { type Check, describeHost, examine, type Host } from "../../src/doctor.ts";
import { makeProject } from "../helpers/project.ts";

test("programs that answer: found, with path and version", async (t) => {
  const { checks, folder } = await look(t, {
    systemctl: 'case "$*" in *--version) echo "systemd 257 (257.9-1)"; echo +PAM;; *) echo 257.9-1;; esac',
    "systemd-nspawn": 'echo "systemd 257 (257.9-1)"',
    inetd: "exit 1", // Never asked.
    xinetd: 'echo "xinetd Version 2.3.15.4 libwrap loadavg" >&2',
    dpkg: `echo "Debian 'dpkg' package management program version 1.22.21 (amd64)."`,
    rpm: 'echo "RPM version 4.20.1"',
    rcodesign: "echo rcodesign 0.29.0",
  });
  const versions = Object.entries({
    ...{ systemd: "257", "system manager": "257", "user manager": "257", "systemd-nspawn": "257", inetd: undefined },
    ...{ xinetd: "2.3.15.4", dpkg: "1.22.21", rpm: "4.20.1", rcodesign: "0.29.0" },
  });
  for (const [name, version] of versions) {
    const check = checks.get(name)!;
    assert.deepEqual([name, check.found, check.version, check.get], [name, true, version, undefined]);
  }
  assert.equal(checks.get("rpm")!.path, join(folder, "rpm"));
});

test("programs that are not there: what for, and how to get them by what the machine installs with", async (t) => {
  for (const [installer, of] of Object.entries(installed)) {
    const { checks } = await look(t, {}, { installer: installer as Host["installer"] });
    for (const [name, get] of Object.entries(of)) {
      const check = checks.get(name)!;
      assert.deepEqual([name, check.found, check.get], [name, false, get]);
      assert.ok(check.for);
    }
  }
  const { checks } = await look(t, {}, { installer: undefined });
  assert.equal(checks.get("rpm")!.get, "install the package that has rpm");
});

test("macOS: its own parts are looked for, and Linux's are not", async (t) => {
  const { checks } = await look(
    t,
    { launchctl: "exit 1", sw_vers: "echo 15.6.1", codesign: "exit 1", systemctl: "echo systemd 257" },
    { platform: "darwin", installer: "brew" },
  );
  assert.equal(checks.get("launchd")!.detail, "macOS 15.6.1");
  assert.equal(checks.get("codesign")!.found, true);
  assert.equal(checks.get("dpkg")!.get, "brew install dpkg");
  for (const name of ["systemd", "system manager", "user manager", "systemd-nspawn"]) {
    assert.deepEqual([checks.get(name)!.found, checks.get(name)!.get], [false, "only Linux has it"]);
  }
  assert.equal(checks.has("ports below 1024"), false);
  const without = await look(t, {}, { platform: "darwin", installer: "brew" });
  assert.equal(without.checks.get("codesign")!.get, "xcode-select --install");
});

test("a program that hangs is given up, with the children that hold its output open", async (t) => {
  const { checks, folder } = await look(
    t,
    { systemctl: 'sleep 1000 & echo $! >"$0.$$.pid"; wait', rpm: "trap '' TERM; sleep 1000; sleep 1000" },
    { patience: 500 },
  );
  const silent = "did not answer within 0.5 s";
  assert.deepEqual(
    ["systemd", "system manager", "user manager", "rpm"].map((name) => checks.get(name)!.detail),
    [`systemctl ${silent}`, `systemctl ${silent}`, `systemctl ${silent}`, `it ${silent}`],
  );
  const pids = readdirSync(folder).filter((name) => name.endsWith(".pid"));
  assert.equal(pids.length, 3);
  for (const name of pids) await ended(Number(readFileSync(join(folder, name), "utf8")));
});

test("a program that prints garbage is there, of an unknown version", async (t) => {
  const noise = "head -c 100000 /dev/zero | tr '\\0' '\\377'; echo 1";
  const { checks } = await look(t, { systemctl: noise, rpm: noise, dpkg: "exit 0" });
  for (const name of ["systemd", "rpm", "dpkg"]) {
    const { found, version, detail } = checks.get(name)!;
    assert.deepEqual([name, found, version, detail], [name, true, undefined, "its version is unknown"]);
  }
  assert.equal(checks.get("system manager")!.found, false);
});

test("a program that fails is told with its path and what it does", async (t) => {
  const { checks, folder } = await look(t, {
    systemctl: 'echo "System has not been booted" >&2; exit 1',
    rpm: "exit 127",
    dpkg: "kill -SEGV $$",
    rcodesign: "#!/no/such/interpreter",
  });
  assert.equal(checks.get("system manager")!.detail, "System has not been booted");
  assert.equal(checks.get("rpm")!.detail, "it failed with exit code 127");
  assert.equal(checks.get("rpm")!.get, `see why ${folder}/rpm --version fails`);
  assert.equal(checks.get("dpkg")!.detail, "it was ended by SIGSEGV");
  assert.equal(checks.get("rcodesign")!.detail, "it does not start: ENOENT");
  assert.deepEqual(
    ["rpm", "dpkg", "rcodesign", "systemd"].map((name) => checks.get(name)!.found),
    [false, false, false, false],
  );
});

test("an old systemd is told to be old", async (t) => {
  const { checks } = await look(t, { systemctl: "echo systemd 249" });
  assert.equal(checks.get("systemd")!.detail, "units are made for 252 and later");
});

test("how programs are installed is told by os-release, or by the platform", () => {
  const of = (...lines: string[]) => installerOf("linux", `NAME="x"\n${lines.join("\n")}\n`);
  assert.equal(of("ID=debian"), "apt");
  assert.equal(of("ID=linuxmint", 'ID_LIKE="ubuntu debian"'), "apt");
  assert.equal(of("ID=fedora"), "dnf");
  assert.equal(of('ID="rocky"', 'ID_LIKE="rhel centos fedora"'), "dnf");
  assert.equal(of("ID=arch"), undefined);
  assert.equal(installerOf("linux"), undefined);
  assert.equal(installerOf("darwin"), "brew");
});

test("programs are looked for in the PATH, and where daemons lie", () => {
  const folders = { cache: "/c", output: "/o", temporary: "/t" };
  const env = { PATH: "/usr/bin:relative::/opt/bin" };
  const { path } = describeHost({ platform: "linux", uid: 1, env, folders });
  assert.deepEqual(path, ["/usr/bin", "/opt/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]);
});

test("the cache: its size and what is in it; what is not there is fetched by a build", async (t) => {
  const nodes = { "node/v1.2.3/linux-x64/node": "x".repeat(2_000_000), "node/v1.2.3/linux-x64.partial-1/node": "" };
  const cache = makeProject(t, nodes);
  const { checks } = await look(t, {}, {}, { cache });
  assert.equal(checks.get("cache")!.detail, "2 MB, v1.2.3 linux-x64");
  assert.equal(checks.get("Node for linux-x64")!.get, "rouse build fetches it, once");
  const empty = await look(t, {}, {}, { cache: join(cache, "none/yet") });
  assert.equal(empty.checks.get("cache")!.detail, "0 MB");
  assert.equal(empty.checks.get("space in cache")!.path, cache);
});

test("space: a full disk, a folder that is not there, and one that may not be written", async (t) => {
  const temporary = join(makeProject(t, {}), "none");
  const { checks } = await look(t, {}, {}, { temporary });
  const { found, detail, needed } = checks.get("temporary folder")!;
  assert.deepEqual([found, detail, needed], [false, "is not there", true]);
  if (!existsSync("/proc/self")) return t.skip("/proc stands for a full disk, and is not here");
  const full = await look(t, {}, {}, { output: "/proc/none" });
  assert.deepEqual(full.checks.get("space for output")!.detail, "0 MB free");
  assert.equal(full.checks.get("space for output")!.get, "free 300 MB, or name another folder: --out");
});

test("what Rouse itself runs on is found wherever its tests run", async (t) => {
  const { checks } = await look(t, {});
  for (const name of ["Node", "node:ffi", "esbuild", "temporary folder"]) {
    assert.deepEqual([name, checks.get(name)!.found, checks.get(name)!.needed], [name, true, true]);
  }
});

// --- internal ---

const installed = {
  apt: {
    systemd: "apt-get install systemd",
    "systemd-nspawn": "apt-get install systemd-container",
    inetd: "apt-get install openbsd-inetd",
    rpm: "apt-get install rpm",
    launchd: "only macOS has it",
    rcodesign: "cargo install apple-codesign",
  },
  dnf: {
    "systemd-nspawn": "dnf install systemd-container",
    "dpkg-deb": "dnf install dpkg",
    inetd: "dnf provides '*/bin/inetd' tells whether a package has it",
  },
};

/** What is found on a machine whose only programs are these shell scripts. */
async function look(
  t: TestContext,
  programs: Record<string, string>,
  host: Partial<Host> = {},
  folders: Partial<Host["folders"]> = {},
): Promise<{ checks: Map<string, Check>; folder: string }> {
  const scripts = Object.entries(programs).map(([name, text]) => [
    name,
    text.startsWith("#!") ? text : `#!/bin/sh\n${text}\n`,
  ]);
  const folder = makeProject(t, Object.fromEntries(scripts));
  for (const name of Object.keys(programs)) chmodSync(join(folder, name), 0o755);
  const checks = await examine({
    platform: "linux",
    uid: process.getuid!(),
    env: process.env,
    path: [folder],
    installer: "apt",
    folders: { cache: join(folder, "cache"), output: folder, temporary: folder, ...folders },
    patience: 20_000,
    ...host,
  });
  return { checks: new Map(checks.map((check) => [check.name, check])), folder };
}

/** Gone, or dead and not yet seen to by whoever has inherited it. */
async function ended(pid: number): Promise<void> {
  const isAlive = (): boolean => {
    const state = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
    return state !== "" && !state.startsWith("Z");
  };
  while (isAlive()) await sleep(10);
}
