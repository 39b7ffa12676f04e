import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { needsRuntime } from "../../src/definition/needs-runtime.ts";
import { definitionJsonSchema, readService } from "../../src/definition.ts";
import { type Problem, RouseError } from "../../src/problem.ts";
import type { Service } from "../../src/service.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { sampleService } from "../packaging/sample.ts";

test("package.json fills in what the definition leaves out", async (t) => {
  const manifest = {
    name: "@acme/lunchd",
    description: "Lunch",
    license: "MIT",
    author: "Ada <ada@example.com> (https://example.com)",
    homepage: "https://example.com/lunchd",
  };
  const service = await readService(makeProject(t, hello({ manifest })));
  assert.equal(service.name, "lunchd");
  assert.equal(service.packageName, "acme-lunchd");
  assert.equal(service.version, "1.2.3");
  assert.equal(service.description, "Lunch");
  assert.equal(service.license, "MIT");
  assert.deepEqual(service.author, { name: "Ada", email: "ada@example.com" });
  assert.equal(service.homepage, "https://example.com/lunchd");
  assert.equal(service.stopTimeout, 20);
  assert.equal(service.start, "on-demand");
  assert.deepEqual(service.permissions, { network: "none" });
});

test("the definition wins over package.json", async (t) => {
  const definition = {
    name: "other",
    version: "9.0.0",
    package: { name: "acme-other" },
    author: { name: "Grace" },
    stopTimeout: "1.5m",
  };
  const service = await readService(makeProject(t, hello({ definition })));
  assert.equal(service.name, "other");
  assert.equal(service.packageName, "acme-other");
  assert.equal(service.version, "9.0.0");
  assert.deepEqual(service.author, { name: "Grace", email: undefined });
  assert.equal(service.stopTimeout, 90);
});

test("sockets: every way to write an address", async (t) => {
  const sockets = {
    http: 80,
    local: "127.0.0.1:8080",
    six: { listen: ["[::1]:8443", "tcp:81"], backlog: 7, noDelay: true, freeBind: false },
    admin: { listen: "unix:/run/greeter.sock", group: "adm" },
    open: { listen: "unix:/run/open.sock", mode: "0666" },
    stats: { listen: ["udp:8125", "udp:[::1]:8126"], optional: true },
  };
  const service = await readService(makeProject(t, hello({ definition: { sockets } })));
  const plain = {
    adopt: undefined,
    backlog: undefined,
    noDelay: false,
    freeBind: undefined,
    mode: undefined,
    group: undefined,
    optional: false,
    accept: undefined,
    limits: { connections: 64, perSource: undefined },
  };
  assert.deepEqual(service.sockets, [
    { ...plain, name: "http", listen: [{ type: "tcp", host: undefined, port: 80 }] },
    { ...plain, name: "local", listen: [{ type: "tcp", host: "127.0.0.1", port: 8080 }] },
    {
      ...plain,
      name: "six",
      listen: [
        { type: "tcp", host: "::1", port: 8443 },
        { type: "tcp", host: undefined, port: 81 },
      ],
      backlog: 7,
      noDelay: true,
      freeBind: false,
    },
    { ...plain, name: "admin", listen: [{ type: "unix", path: "/run/greeter.sock" }], mode: "0660", group: "adm" },
    { ...plain, name: "open", listen: [{ type: "unix", path: "/run/open.sock" }], mode: "0666" },
    {
      ...plain,
      name: "stats",
      listen: [
        { type: "udp", host: undefined, port: 8125 },
        { type: "udp", host: "::1", port: 8126 },
      ],
      optional: true,
    },
  ]);
});

test("adopt: the address that the program itself listens on, as people write it", async (t) => {
  const sockets = {
    http: { listen: 80, adopt: 3000 },
    local: { listen: 81, adopt: "127.0.0.1:3001" },
    path: { listen: "unix:/run/a.sock", adopt: "unix:./a.sock" },
    stats: { listen: "udp:8125", adopt: "udp:9125" },
    own: 82,
  };
  const service = await readService(makeProject(t, hello({ definition: { sockets } })));
  assert.deepEqual(
    service.sockets.map(({ adopt }) => adopt),
    [
      { type: "tcp", host: undefined, port: 3000 },
      { type: "tcp", host: "127.0.0.1", port: 3001 },
      { type: "unix", path: "./a.sock" },
      { type: "udp", host: undefined, port: 9125 },
      undefined,
    ],
  );
});

test("workers, idleExit, watchdog, credentials: durations in seconds, and nothing of them where nothing is said", async (t) => {
  const read = async (definition: object) => {
    const { workers, idleExit, watchdog, credentials } = await readService(makeProject(t, hello({ definition })));
    return { workers, idleExit, watchdog, credentials };
  };
  const credentials = { "tls.key": "/etc/greeter/tls.key", token: "greeter.token" };
  assert.deepEqual(await read({ workers: "auto", idleExit: "1.5m", watchdog: "1.1h", credentials }), {
    workers: "auto",
    idleExit: 90,
    watchdog: 3960,
    credentials,
  });
  assert.deepEqual(await read({}), { workers: 0, idleExit: undefined, watchdog: undefined, credentials: {} });
});

test("what only the runtime can do is refused where the program lacks it, or has no socket to tell of", () => {
  const service = sampleService({ watchdog: 30, idleExit: 600, workers: 2 });
  const keys = (changed: Service, importsRuntime: boolean) =>
    needsRuntime(changed, importsRuntime).map(({ where }) => where?.key);
  assert.deepEqual(keys(service, true), []);
  assert.deepEqual(keys(service, false), ["watchdog", "idleExit", "workers"]);
  assert.deepEqual(keys(sampleService({ watchdog: 30, sockets: [] }), true), ["watchdog"]);
  const adopt = { type: "tcp", host: undefined, port: 3000 } as const;
  const adopting = { ...service, sockets: service.sockets.map((socket) => ({ ...socket, adopt })) };
  assert.deepEqual(keys(adopting, false), []);
  assert.deepEqual(keys(sampleService(), false), []);
});

test('package.json\'s own "rouse" key is a definition', async (t) => {
  const files = hello({ manifest: { rouse: { entry: "src/server.ts", sockets: { http: 80 } } } });
  delete files["rouse.config.json"];
  assert.equal((await readService(makeProject(t, files))).name, "greeter");
});

test("rouse.config.ts: enums, extensionless imports, packages, and a commonjs project", async (t) => {
  const { "package.json": _, "rouse.config.json": __, ...server } = hello();
  const folder = makeProject(t, {
    ...server,
    "package.json": { name: "greeter", version: "1.0.0", type: "commonjs" },
    "node_modules/ports/package.json": { name: "ports", version: "1.0.0", main: "index.js" },
    "node_modules/ports/index.js": "exports.http = 8123;",
    "config/start.ts": `export enum Start { Boot = "boot" }`,
    "rouse.config.ts": `
      import { defineService } from "rouse/config";
      import { http } from "ports";
      import { Start } from "./config/start";
      export default defineService({ name: import.meta.dirname.length > 1 ? "typed" : "x", entry: "src/server.ts", start: Start.Boot, sockets: { http } });
    `,
  });
  const service = await readService(folder);
  assert.equal(service.name, "typed");
  assert.equal(service.start, "boot");
  assert.deepEqual(service.sockets[0]?.listen, [{ type: "tcp", host: undefined, port: 8123 }]);
  assert.deepEqual(readdirSync(join(folder, "node_modules")), ["ports"], "nothing is left beside the packages");
});

test("a project without node_modules is left without one", async (t) => {
  const { "rouse.config.json": definition, ...rest } = hello();
  const folder = makeProject(t, { ...rest, "rouse.config.ts": `export default ${JSON.stringify(definition)};` });
  await readService(folder);
  assert.equal(existsSync(join(folder, "node_modules")), false);
});

const wrong: [title: string, definition: object, expected: Partial<Problem> & { key: string; line?: number }][] = [
  ["unknown key", { entri: "x" }, { code: "unknown-key", key: "entri", mend: 'did you mean "entry"?' }],
  [
    "unknown key of a socket",
    { sockets: { http: { listen: 80, nodelay: true } } },
    { code: "unknown-key", key: "sockets.http.nodelay", mend: 'did you mean "noDelay"?' },
  ],
  [
    "unknown permission",
    { permissions: { netwrok: "none" } },
    { code: "unknown-key", key: "permissions.netwrok", mend: 'did you mean "network"?' },
  ],
  [
    "port 70000",
    { sockets: { http: 70000 } },
    { code: "invalid-address", key: "sockets.http", what: "port 70000 is out of range: ports go from 1 to 65535" },
  ],
  [
    "port 0",
    { sockets: { http: 0 } },
    {
      code: "invalid-address",
      key: "sockets.http",
      what: "port 0 is out of range",
    },
  ],
  [
    "port 70000 in a list",
    { sockets: { http: { listen: [80, "127.0.0.1:70000"] } } },
    { code: "invalid-address", key: "sockets.http.listen.1" },
  ],
  ["a host name", { sockets: { http: "localhost:80" } }, { code: "invalid-address", key: "sockets.http" }],
  ["a relative unix path", { sockets: { http: "unix:./x.sock" } }, { code: "invalid-address", key: "sockets.http" }],
  [
    "a unix path that the kernel refuses",
    { sockets: { http: `unix:/${"x".repeat(107)}` } },
    { code: "invalid-address", key: "sockets.http" },
  ],
  ["two sockets on one address", { sockets: { a: 80, b: "80" } }, { code: "address-taken", key: "sockets.b" }],
  [
    "two sockets on one port, one on every address",
    { sockets: { a: 80, b: "127.0.0.1:80" } },
    { code: "address-taken", key: "sockets.b" },
  ],
  [
    "one address twice in one socket",
    { sockets: { a: { listen: [80, "tcp:80"] } } },
    { code: "address-taken", key: "sockets.a" },
  ],
  [
    "a version that no file name has room for",
    { version: "1".repeat(300) },
    { code: "invalid-version", key: "version" },
  ],
  ["a unix path that is a folder", { sockets: { a: "unix:/run/" } }, { code: "invalid-address", key: "sockets.a" }],
  [
    "a unix path that goes astray",
    { sockets: { a: "unix:/run/../x.sock" } },
    { code: "invalid-address", key: "sockets.a", mend: 'write "unix:/x.sock"' },
  ],
  [
    "a unix path with a control character",
    { sockets: { a: "unix:/run/\u0001x" } },
    { code: "invalid-address", key: "sockets.a" },
  ],
  [
    "one IPv6 address in two spellings",
    { sockets: { a: "[::1]:80", b: "[0:0:0:0:0:0:0:1]:80" } },
    { code: "address-taken", key: "sockets.b" },
  ],
  [
    "the group of the dynamic user",
    { sockets: { a: { listen: "unix:/run/a", group: "greeter" } } },
    { code: "invalid-definition", key: "sockets.a.group" },
  ],
  [
    "a stop without patience, which systemd takes for none at all",
    { stopTimeout: "0s" },
    { code: "invalid-definition", key: "stopTimeout" },
  ],
  [
    "a stop that outlasts systemd's numbers",
    { stopTimeout: "99999999999999999999h" },
    { code: "invalid-definition", key: "stopTimeout" },
  ],
  ["a name that is a part of the system", { name: "systemd" }, { code: "invalid-name", key: "name" }],
  ["a name that would purge others' data", { name: "private" }, { code: "invalid-name", key: "name" }],
  [
    "a mode that is no mode",
    { sockets: { a: { listen: "unix:/run/a", mode: "rw" } } },
    { code: "invalid-definition", key: "sockets.a.mode" },
  ],
  [
    "a mode for a port",
    { sockets: { a: { listen: 80, mode: "0600" } } },
    { code: "invalid-definition", key: "sockets.a.mode" },
  ],
  [
    "one name for connections and datagrams",
    { sockets: { a: { listen: [80, "udp:80"] } } },
    { code: "invalid-definition", key: "sockets.a" },
  ],
  [
    "TCP_NODELAY for UDP",
    { sockets: { a: { listen: "udp:80", noDelay: true } } },
    { code: "invalid-definition", key: "sockets.a.noDelay", what: '"noDelay" has no meaning for UDP' },
  ],
  [
    "a backlog for UDP",
    { sockets: { a: { listen: "udp:80", backlog: 5 } } },
    { code: "invalid-definition", key: "sockets.a.backlog" },
  ],
  [
    "TCP_NODELAY for a unix socket",
    { sockets: { a: { listen: "unix:/run/a", noDelay: true } } },
    { code: "invalid-definition", key: "sockets.a.noDelay", what: '"noDelay" has no meaning for a unix socket' },
  ],
  [
    "two sockets on one UDP port",
    { sockets: { a: "udp:80", b: "udp:127.0.0.1:80" } },
    { code: "address-taken", key: "sockets.b" },
  ],
  [
    "adopting a host name",
    { sockets: { a: { listen: 80, adopt: "localhost:3000" } } },
    { code: "invalid-address", key: "sockets.a.adopt" },
  ],
  [
    "adopting any free port",
    { sockets: { a: { listen: 80, adopt: 0 } } },
    { code: "invalid-address", key: "sockets.a.adopt" },
  ],
  [
    "a listen call for connections that is to take datagrams",
    { sockets: { a: { listen: "udp:80", adopt: 3000 } } },
    { code: "invalid-address", key: "sockets.a.adopt", mend: 'write "udp:3000" if that is what it does' },
  ],
  [
    "one listen call for two sockets",
    { sockets: { a: { listen: 80, adopt: 3000 }, b: { listen: 81, adopt: "127.0.0.1:3000" } } },
    { code: "address-taken", key: "sockets.b.adopt" },
  ],
  [
    "leaving what is to run from the boot on",
    { start: "boot", idleExit: "10m" },
    { code: "invalid-definition", key: "idleExit" },
  ],
  [
    "a watchdog that is quicker than anybody's computation",
    { watchdog: "0s" },
    { code: "invalid-definition", key: "watchdog" },
  ],
  [
    "a credential from a relative path",
    { credentials: { key: "./tls.key" } },
    { code: "invalid-definition", key: "credentials.key" },
  ],
  [
    "a credential that is a folder",
    { credentials: { key: "/etc/greeter/" } },
    { code: "invalid-definition", key: "credentials.key", what: 'the path "/etc/greeter/" names a folder' },
  ],
  [
    "a credential's path that goes astray",
    { credentials: { key: "/etc/../key" } },
    { code: "invalid-definition", key: "credentials.key", mend: 'write "/key"' },
  ],
  [
    "a credential's path that systemd 257 gets wrong",
    { credentials: { key: "/etc/my key" } },
    { code: "invalid-definition", key: "credentials.key" },
  ],
  [
    "a line more in the unit",
    { credentials: { key: "/etc/key\nUser=root" } },
    { code: "invalid-definition", key: "credentials.key" },
  ],
  [
    "a credential's name that is a path",
    { credentials: { "../key": "/etc/key" } },
    { code: "invalid-definition", key: "credentials.../key" },
  ],
  ["leaving at once", { idleExit: "500ms" }, { code: "invalid-definition", key: "idleExit" }],
  ["a duration in a number", { idleExit: 600 }, { code: "invalid-definition", key: "idleExit" }],
  [
    "half a worker",
    { workers: 1.5 },
    { code: "invalid-definition", key: "workers", what: '"workers" must be a whole number from 0 to 1024, or "auto"' },
  ],
  [
    "fewer workers than none",
    { workers: -1 },
    { code: "invalid-definition", key: "workers", what: '"workers" must be a whole number from 0 to 1024, or "auto"' },
  ],
  ["workers by another word", { workers: "all" }, { code: "invalid-definition", key: "workers" }],
  ["a socket name of systemd's", { sockets: { unknown: 80 } }, { code: "invalid-definition", key: "sockets.unknown" }],
  ["a socket name with a colon", { sockets: { "a:b": 80 } }, { code: "invalid-definition", key: "sockets.a:b" }],
  ["a name that systemd refuses", { name: "my server" }, { code: "invalid-definition", key: "name" }],
  ["a name that Debian refuses", { name: "MyServer" }, { code: "invalid-definition", key: "name" }],
  ["a name that is a system user", { name: "proxy" }, { code: "invalid-name", key: "name" }],
  ["a name of systemd's", { name: "systemd-x" }, { code: "invalid-name", key: "name" }],
  ["a duration without a unit", { stopTimeout: "20" }, { code: "invalid-definition", key: "stopTimeout" }],
  ["a wrong type", { args: "--x" }, { code: "invalid-definition", key: "args", what: '"args" must be a list' }],
  [
    "a wrong choice",
    { start: "never" },
    { code: "invalid-definition", key: "start", what: '"start" must be "on-demand" or "boot"' },
  ],
  [
    "a variable that is no name",
    { environment: { "A B": "x" } },
    { code: "invalid-definition", key: "environment.A B" },
  ],
  [
    "a systemd that is too old",
    { systemd: { minimumVersion: 247 } },
    { code: "invalid-definition", key: "systemd.minimumVersion" },
  ],
  ["no entry", { entry: undefined }, { code: "no-entry", key: "entry" }],
  ["an entry that is not there", { entry: "src/missing.ts" }, { code: "no-entry", key: "entry" }],
  ["nothing that would start it", { sockets: {} }, { code: "never-starts", key: "sockets" }],
];

for (const [title, definition, { key, ...expected }] of wrong) {
  test(`refused: ${title}`, async (t) => {
    const folder = makeProject(t, hello({ definition }));
    const [problem, ...others] = await problemsOf(t, folder);
    assert.deepEqual(others, [], "one fault, one problem");
    assert.equal(problem?.where?.key, key);
    assert.equal(problem?.where?.file, join(folder, "rouse.config.json"));
    assert.ok((problem?.where?.line ?? 0) >= 1, "a JSON definition has lines");
    for (const [field, value] of Object.entries(expected)) assert.equal(problem?.[field as keyof Problem], value);
  });
}

test("line and column of a key", async (t) => {
  const text = '{\n  "entry": "src/server.ts",\n  "sockets": {\n    "http": 70000\n  }\n}\n';
  const [problem] = await problemsOf(t, makeProject(t, { ...hello(), "rouse.config.json": text }));
  assert.deepEqual([problem?.where?.line, problem?.where?.column], [4, 5]);
});

test("every fault is told at once", async (t) => {
  const problems = await problemsOf(t, makeProject(t, hello({ definition: { entri: 1, start: "x", args: [1] } })));
  assert.deepEqual(problems.map(({ where }) => where?.key).sort(), ["args.0", "entri", "start"]);
});

const later: [string, object][] = [
  ["exec", { exec: "./x" }],
  ["sockets.http.accept", { sockets: { http: { listen: 80, accept: "connection" } } }],
  ["user", { user: "www" }],
  ["manager", { manager: "user" }],
  ["permissions.write", { permissions: { write: ["/srv"] } }],
  ["files", { files: ["public"] }],
  ["targets.1", { targets: ["linux-x64", "darwin-arm64"] }],
  ["packages.0", { packages: ["rpm"] }],
  ["systemd.overrides", { systemd: { overrides: { service: { Nice: 5 } } } }],
];

for (const [key, definition] of later) {
  test(`not yet: ${key}`, async (t) => {
    const [problem] = await problemsOf(t, makeProject(t, hello({ definition })));
    assert.equal(problem?.code, "not-yet");
    assert.equal(problem?.where?.key, key);
  });
}

test("asking for what is there today anyway is no fault", async (t) => {
  const definition = {
    manager: "system",
    template: false,
    user: "dynamic",
    files: [],
    permissions: { subprocesses: false },
  };
  await readService(makeProject(t, hello({ definition })));
});

test("package.json that is no JSON: the place", async (t) => {
  const [problem] = await problemsOf(
    t,
    makeProject(t, { ...hello(), "package.json": '{\n  "name": "x",\n  version: 1\n}' }),
  );
  assert.equal(problem?.code, "not-json");
  assert.deepEqual([problem?.where?.line, problem?.where?.column], [3, 3]);
});

test("a key that stands twice in the definition is refused, each with its place", async (t) => {
  const text =
    '{\n  "entry": "src/server.ts",\n  "sockets": {\n    "http": 80,\n    "http": 81\n  },\n  "entry": "a.ts"\n}';
  const problems = await problemsOf(t, makeProject(t, { ...hello(), "rouse.config.json": text }));
  assert.deepEqual(
    problems.map(({ code, where }) => [code, where?.key, where?.line, where?.column]),
    [
      ["duplicate-key", "entry", 7, 3],
      ["duplicate-key", "sockets.http", 5, 5],
    ],
  );
});

test("keys that stand twice in package.json: refused inside the definition, and npm's matter elsewhere", async (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const manifest = (rouse: string): Record<string, unknown> => ({
    ...rest,
    "package.json": `{ "name": "x", "name": "greeter", "version": "1.0.0", ${rouse} }`,
  });
  const good = '"rouse": { "entry": "src/server.ts", "sockets": { "http": 80 } }';
  assert.equal((await readService(makeProject(t, manifest(good)))).name, "greeter");
  const inside = manifest('"rouse": { "entry": "x", "args": [{ "a": 1, "a": 2 }] }');
  assert.equal((await problemsOf(t, makeProject(t, inside)))[0]?.where?.key, "args.0.a");
  const [twice] = await problemsOf(t, makeProject(t, manifest(`${good}, ${good}`)));
  assert.deepEqual([twice?.code, twice?.what], ["duplicate-key", 'the key "rouse" stands here once more']);
});

test("a package.json or definition that cannot be read: said so", async (t) => {
  const { "package.json": manifest, "rouse.config.json": definition, ...rest } = hello();
  for (const files of [
    { ...rest, "package.json/x": "", "rouse.config.json": definition },
    { ...rest, "package.json": manifest, "rouse.config.json/x": "" },
  ]) {
    const [problem] = await problemsOf(t, makeProject(t, files));
    assert.equal(problem?.code, "not-readable");
    assert.match(problem?.what ?? "", /this file cannot be read: .*directory/);
  }
});

test("a config that throws: its message and its line", async (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const folder = makeProject(t, {
    ...rest,
    "rouse.config.ts": 'interface A { a: 1 }\n\nthrow new Error("no port today");\n',
  });
  const [problem] = await problemsOf(t, folder);
  assert.equal(problem?.code, "config-throws");
  assert.match(problem?.what ?? "", /no port today/);
  assert.deepEqual([problem?.where?.file, problem?.where?.line], [join(folder, "rouse.config.ts"), 3]);
});

test("a config with a syntax error: its place", async (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const [problem] = await problemsOf(
    t,
    makeProject(t, { ...rest, "rouse.config.ts": "export default {\n  entry: ,\n};\n" }),
  );
  assert.deepEqual([problem?.code, problem?.where?.line, problem?.where?.column], ["syntax", 2, 10]);
});

test("a config without a default export, one whose import is not installed, none, and two", async (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const code = async (files: Record<string, unknown>) => (await problemsOf(t, makeProject(t, files)))[0]?.code;
  assert.equal(await code({ ...rest, "rouse.config.ts": "export const x = 1;" }), "no-default-export");
  assert.equal(await code({ ...rest, "rouse.config.ts": 'import "left-pad-x"; export default {};' }), "config-import");
  assert.equal(await code(rest), "no-definition");
  assert.equal(await code({ ...hello(), "rouse.config.ts": "export default {};" }), "two-definitions");
});

test("the JSON Schema says of every key that is not there yet that it is not, and of no other", () => {
  const { properties } = definitionJsonSchema() as { properties: Record<string, { description?: string }> };
  const notYet = Object.keys(properties).filter((key) => /not yet/i.test(properties[key]!.description ?? ""));
  assert.deepEqual(notYet, ["exec", "connection", "manager", "template", "user", "files", "launchd"]);
});

test("the JSON Schema has every key and is closed", () => {
  const schema = definitionJsonSchema() as {
    properties: Record<string, unknown>;
    additionalProperties: unknown;
    $schema: string;
  };
  assert.equal(schema.additionalProperties, false);
  assert.match(schema.$schema, /2020-12/);
  for (const key of ["name", "entry", "sockets", "permissions", "systemd", "targets"])
    assert.ok(schema.properties[key]);
});

async function problemsOf(_: TestContext, folder: string): Promise<readonly Problem[]> {
  try {
    await readService(folder);
  } catch (error) {
    if (error instanceof RouseError) return error.problems;
    throw error;
  }
  throw new Error("the definition was accepted");
}
