import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readServiceToRun } from "../../src/definition.ts";
import { type Problem, RouseError } from "../../src/problem.ts";
import { hello, makeProject } from "../helpers/project.ts";

const host = "linux-x64";

/** A project with an executable hello.sh and a text that is none. */
function project(t: TestContext, definition: object): string {
  const folder = makeProject(t, hello({ definition }));
  writeFileSync(join(folder, "hello.sh"), "#!/bin/sh\necho hello\n");
  chmodSync(join(folder, "hello.sh"), 0o755);
  writeFileSync(join(folder, "notes.txt"), "no program");
  return folder;
}

const read = async (t: TestContext, definition: object, more: { sandbox?: boolean } = {}) =>
  await readServiceToRun(project(t, definition), { host, ...more });

test("one process per connection, with the limits of systemd where none are given", async (t) => {
  const sockets = {
    qotd: { listen: 17, accept: "connection", limits: { connections: 3, perSource: 2 } },
    echo: { listen: 7, accept: "connection" },
    http: 80,
  };
  const { service, warnings } = await read(t, { sockets });
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    service.sockets.map(({ accept, limits }) => [accept, limits.connections, limits.perSource]),
    [
      ["connection", 3, 2],
      ["connection", 64, undefined],
      [undefined, 64, undefined],
    ],
  );
  assert.deepEqual(service.connection, { stdin: undefined, stderr: "journal", ignoreExit: false });
  const connection = { stdin: "socket", stderr: "socket", ignoreExit: true };
  assert.deepEqual((await read(t, { sockets, connection })).service.connection, connection);
});

test("any other program, one for all machines or one for each, of which those of others need not be there", async (t) => {
  const all = (await read(t, { entry: undefined, exec: "hello.sh" })).service;
  assert.equal(all.entry, undefined);
  assert.equal(all.exec, join(all.root, "hello.sh"));
  const exec = { "linux-x64": "./hello.sh", "darwin-arm64": "./not-compiled-here" };
  const each = (await read(t, { entry: undefined, exec })).service;
  assert.equal(each.exec, join(each.root, "hello.sh"));
});

test("what a build cannot do yet, or needs and a run does not, keeps nobody from developing", async (t) => {
  const definition = {
    targets: ["darwin-arm64"],
    packages: ["rpm", "pkg"],
    files: ["public"],
    template: true,
    user: "www",
    manager: "user",
    permissions: { write: ["/srv"], subprocesses: true },
    launchd: { label: "com.example.x" },
  };
  const folder = makeProject(t, hello({ definition, manifest: { version: undefined } }));
  assert.deepEqual((await readServiceToRun(folder, { host })).warnings, []);
});

test("what would change the program and has no effect is warned of, with its place", async (t) => {
  const definition = {
    systemd: { overrides: { service: { LimitNOFILE: 5 } } },
    launchd: { overrides: { Nice: 3 } },
    sockets: { http: { listen: 80, systemd: { ReceiveBuffer: 9 }, launchd: {} } },
    permissions: { write: ["/srv"], read: [], subprocesses: true },
  };
  const keys = ({ warnings }: { warnings: Problem[] }) => warnings.map(({ where }) => where?.key);
  const found = await read(t, definition);
  assert.deepEqual(keys(found), ["systemd.overrides", "launchd.overrides", "sockets.http.systemd"]);
  assert.ok(found.warnings.every(({ where }) => where?.line !== undefined));
  const narrower = await read(t, definition, { sandbox: true });
  assert.deepEqual(keys(narrower).slice(3), ["permissions.write", "permissions.subprocesses"]);
});

test("a service knows the files that it was read from", async (t) => {
  const { service } = await read(t, {});
  assert.deepEqual(
    service.readFrom,
    ["rouse.config.json", "package.json"].map((name) => join(service.root, name)),
  );
  const { "rouse.config.json": _, ...rest } = hello();
  const folder = makeProject(t, {
    ...rest,
    "rouse.config.ts": `import { defineService } from "rouse/config"; import { port } from "./port";
      export default defineService({ entry: "src/server.ts", sockets: { http: port } });`,
    "port.ts": "export const port = 80;",
  });
  const typed = (await readServiceToRun(folder, { host })).service;
  const names = ["package.json", "port.ts", "rouse.config.ts"].map((name) => join(folder, name));
  assert.deepEqual(typed.readFrom.toSorted(), names);
});

const accepting = { listen: 17, accept: "connection" };

const wrong: [string, object, Partial<Problem> & { key: string }][] = [
  [
    "accept on UDP",
    { sockets: { qotd: { listen: "udp:17", accept: "connection" } } },
    { code: "invalid-definition", key: "sockets.qotd.accept" },
  ],
  [
    "limits without accept",
    { sockets: { qotd: { listen: 17, limits: { connections: 2 } } } },
    { code: "invalid-definition", key: "sockets.qotd.limits" },
  ],
  ["connection without accept", { connection: { stdin: "socket" } }, { code: "invalid-definition", key: "connection" }],
  [
    "workers with accept",
    { workers: 2, sockets: { http: 80, qotd: accepting } },
    {
      code: "invalid-definition",
      key: "workers",
      what: 'a worker is there for many connections, and "qotd" gives each a process of its own',
    },
  ],
  [
    "idleExit with nothing but accept",
    { idleExit: "1m", sockets: { qotd: accepting } },
    { code: "invalid-definition", key: "idleExit" },
  ],
  [
    "boot with nothing but accept",
    { start: "boot", sockets: { qotd: accepting } },
    { code: "invalid-definition", key: "start" },
  ],
  ["entry and exec", { exec: "hello.sh" }, { code: "no-exec", key: "exec" }],
  ["exec that is not there", { entry: undefined, exec: "gone.sh" }, { code: "no-exec", key: "exec" }],
  ["exec that is a folder", { entry: undefined, exec: "src" }, { code: "no-exec", key: "exec" }],
  ["exec that cannot be executed", { entry: undefined, exec: "notes.txt" }, { code: "no-exec", key: "exec" }],
  [
    "exec without one for this machine",
    { entry: undefined, exec: { "linux-arm64": "hello.sh" } },
    { code: "no-exec", key: "exec", what: '"exec" names no program for linux-x64, only: linux-arm64' },
  ],
  [
    "one of several that is not there",
    { entry: undefined, exec: { "linux-x64": "gone" } },
    { code: "no-exec", key: "exec.linux-x64" },
  ],
  ["exec with workers", { entry: undefined, exec: "hello.sh", workers: 2 }, { code: "needs-runtime", key: "workers" }],
  [
    "exec with adopt",
    { entry: undefined, exec: "hello.sh", sockets: { http: { listen: 80, adopt: 3000 } } },
    { code: "needs-runtime", key: "sockets.http.adopt" },
  ],
  ["neither entry nor exec", { entry: undefined }, { code: "no-entry", key: "entry" }],
];

for (const [title, definition, { key, ...expected }] of wrong) {
  test(`refused: ${title}`, async (t) => {
    const error = await read(t, definition).then(
      () => assert.fail("it was taken"),
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof RouseError);
    const [problem, ...others] = error.problems;
    assert.deepEqual(others, [], "one fault, one problem");
    assert.equal(problem?.where?.key, key);
    assert.ok(problem?.mend);
    for (const [field, value] of Object.entries(expected)) assert.equal(problem?.[field as keyof Problem], value);
  });
}
