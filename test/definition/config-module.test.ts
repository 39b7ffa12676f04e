import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { importConfig } from "../../src/definition/config-module.ts";
import { type Problem, RouseError } from "../../src/problem.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { root, rouse } from "../helpers/rouse.ts";

const wrong: [title: string, config: string, code: string, what: RegExp, place?: { line?: number; key?: string }][] = [
  ["process.exit(0)", "process.exit(0);", "config-exits", /ends its own process \(exit code 0\)/],
  [
    "process.exit(3) later",
    "await new Promise(() => setTimeout(() => process.exit(3), 50));",
    "config-exits",
    /code 3/,
  ],
  ["its own end by a signal", "process.kill(process.pid, 'SIGKILL');", "config-exits", /\(SIGKILL\)/],
  ["an await that never settles", "await new Promise(() => {});", "config-waits", /waits for something that never/],
  [
    "a throw from a timer",
    "setTimeout(() => {\n  throw new TypeError('late');\n}, 20);\nawait new Promise(() => setTimeout(() => {}, 5000));",
    "config-throws",
    /throws: TypeError: late/,
    { line: 2 },
  ],
  [
    "a rejection that nobody handles",
    "interface A { a: 1 }\n\nPromise.reject(new Error('lost'));\nawait new Promise(() => setTimeout(() => {}, 5000));",
    "config-throws",
    /throws: Error: lost/,
    { line: 3 },
  ],
  ["a thrown string", "throw 'plain';", "config-throws", /throws: plain$/],
  ["null, thrown", "throw null;", "config-throws", /throws: null$/],
  ["a function", "export default () => ({});", "not-json-value", /^the definition is a function$/],
  ["a promise", "export default Promise.resolve({});", "not-json-value", /is an object of class Promise/],
  ["a function inside", "export default { a: [{ b() {} }] };", "not-json-value", /"a\.0\.b" is a f/, { key: "a.0.b" }],
  ["NaN", "export default { sockets: { http: Number('x') } };", "not-json-value", /"sockets\.http" is NaN/],
  ["Infinity", "export default { a: Infinity };", "not-json-value", /"a" is Infinity/],
  ["a Date", "export default { a: new Date() };", "not-json-value", /"a" is an object of class Date/],
  ["a Map", "export default { a: new Map() };", "not-json-value", /"a" is an object of class Map/],
  ["a bigint", "export default { a: 80n };", "not-json-value", /"a" is a bigint/],
  ["undefined in a list", "export default { a: [undefined] };", "not-json-value", /"a\.0" is undefined/],
  [
    "a circle",
    "const a: any = { b: {} }; a.b.a = a; export default a;",
    "not-json-value",
    /"b\.a" is an object that it is itself a part of/,
  ],
];

for (const [title, config, code, what, place = {}] of wrong) {
  test(`a definition that misbehaves: ${title}`, async (t) => {
    const file = join(makeProject(t, { "rouse.config.ts": config }), "rouse.config.ts");
    const [problem, ...others] = await problemsOf(file);
    assert.deepEqual(others, []);
    assert.equal(problem?.code, code);
    assert.match(problem?.what ?? "", what);
    assert.equal(problem?.where?.file, file);
    for (const [field, value] of Object.entries(place))
      assert.equal(problem?.where?.[field as keyof typeof place], value);
  });
}

for (const loop of ["for (;;);", "setInterval(() => {}, 9); await new Promise(() => {});"]) {
  test(`a definition that does not come to an end: ${loop}`, async (t) => {
    const file = join(makeProject(t, { "rouse.config.ts": loop }), "rouse.config.ts");
    const [problem] = await problemsOf(file, 700);
    assert.equal(problem?.what, "the definition was not done within 0.7 seconds");
  });
}

test("what JSON has passes; keys that are undefined are absent; one object may stand in two places", async (t) => {
  const config = `const both = { a: 1 };
export default { list: [both, both], text: "x", yes: true, nothing: null, none: undefined, bare: Object.create(null) };`;
  const file = join(makeProject(t, { "rouse.config.ts": config }), "rouse.config.ts");
  assert.deepEqual((await importConfig(file)).value, {
    list: [{ a: 1 }, { a: 1 }],
    text: "x",
    yes: true,
    nothing: null,
    bare: {},
  });
});

test("import.meta is that of the file, and packages are found from it", async (t) => {
  const folder = makeProject(t, {
    "a b/rouse.config.ts":
      'import { x } from "pack"; export default { x, ...import.meta, env: undefined, main: undefined, resolve: undefined };',
    "node_modules/pack/package.json": { name: "pack", type: "module", exports: "./index.js" },
    "node_modules/pack/index.js": "export const x = 1;",
  });
  const file = join(folder, "a b/rouse.config.ts");
  assert.deepEqual((await importConfig(file)).value, {
    x: 1,
    dirname: join(folder, "a b"),
    filename: file,
    url: `file://${folder}/a%20b/rouse.config.ts`,
  });
});

for (const name of ["st*ar", "back\\slash", "a (b) c:1", "perc%20ent", "que?stion#hash"]) {
  test(`a project in a folder named ${name}`, async (t) => {
    const folder = makeProject(t, {
      [`${name}/rouse.config.ts`]: 'import { y } from "./lib.ts"; export default { y };',
      [`${name}/lib.ts`]: "export const y = 2;",
      [`${name}/throws.ts`]: "\nthrow new Error('no');",
    });
    assert.deepEqual((await importConfig(join(folder, name, "rouse.config.ts"))).value, { y: 2 });
    const [problem] = await problemsOf(join(folder, name, "throws.ts"));
    assert.equal(problem?.what, "the definition throws: Error: no");
    // Node reads a source map's paths as URLs, in which a backslash is a slash.
    if (!name.includes("\\")) assert.equal(problem?.where?.line, 2);
  });
}

test("a definition that prints and keeps a timer: stdout is the build's, and the build ends", (t) => {
  const { "rouse.config.json": definition, ...rest } = hello();
  const config = `console.log("noise"); setInterval(() => {}, 1000); setTimeout(() => { throw 1 }, 10_000);
export default ${JSON.stringify(definition)};`;
  const folder = makeProject(t, { ...rest, "rouse.config.ts": config });
  const { code, stdout, stderr } = rouse(["build", folder, "--json", "--quiet"]);
  assert.equal(code, 0, stderr);
  assert.equal((JSON.parse(stdout) as { artifacts: object[] }).artifacts.length, 4);
  assert.equal(stderr, "noise\n");
});

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(`${signal} while a definition runs: nothing is left, also no process`, async (t) => {
    const config = `import { writeFileSync } from "node:fs";
writeFileSync(import.meta.dirname + "/pid", String(process.pid));
setInterval(() => {}, 1000);
await new Promise(() => {});`;
    const { "rouse.config.json": _, ...rest } = hello();
    const folder = makeProject(t, { ...rest, "rouse.config.ts": config });
    const child = spawn(join(root, "bin/rouse"), ["build", folder], { stdio: "ignore" });
    const ended = once(child, "exit");
    const pid = join(folder, "pid");
    while (!existsSync(pid) || readFileSync(pid, "utf8") === "") await setTimeout(10);
    child.kill(signal);
    await ended;
    await isGone(Number(readFileSync(pid, "utf8")));
    assert.equal(existsSync(join(folder, "node_modules")), false);
  });
}

test("a definition that comes to its end after rouse was killed says nothing to anybody", async (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const config = `import { writeFileSync } from "node:fs";
const parent = process.ppid;
writeFileSync(import.meta.dirname + "/pid", String(process.pid));
while (process.ppid === parent);
throw new Error("too late");`;
  const folder = makeProject(t, { ...rest, "rouse.config.ts": config });
  const child = spawn(join(root, "bin/rouse"), ["build", folder], { stdio: ["ignore", "ignore", "pipe"] });
  const printed = text(child.stderr!);
  const pid = join(folder, "pid");
  while (!existsSync(pid) || readFileSync(pid, "utf8") === "") await setTimeout(10);
  child.kill("SIGKILL");
  await isGone(Number(readFileSync(pid, "utf8")));
  assert.equal(await printed, "");
});

test("Ctrl-C, which goes to the whole group, is told as such and not as the definition's end", async (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const config = "console.error('begun'); setInterval(() => {}, 1000); await new Promise(() => {});";
  const folder = makeProject(t, { ...rest, "rouse.config.ts": config });
  const child = spawn(join(root, "bin/rouse"), ["build", folder], { stdio: ["ignore", 1, "pipe"], detached: true });
  let printed = "";
  child.stderr!.on("data", (text) => (printed += text));
  await once(child.stderr!, "data");
  process.kill(-child.pid!, "SIGINT");
  const [code] = await once(child, "exit");
  assert.deepEqual([code, printed], [130, "begun\n"]);
});

test("a rouse.config.ts that is a folder: said so", (t) => {
  const { "rouse.config.json": _, ...rest } = hello();
  const { code, stderr } = rouse(["build", makeProject(t, { ...rest, "rouse.config.ts/x": "" })]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /rouse\.config\.ts/);
});

// --- internal ---

async function problemsOf(file: string, limit?: number): Promise<readonly Problem[]> {
  try {
    await importConfig(file, limit);
  } catch (error) {
    if (error instanceof RouseError) return error.problems;
    throw error;
  }
  throw new Error("the definition was accepted");
}

async function isGone(pid: number): Promise<void> {
  for (;;) {
    // A process that has ended and that nobody has waited for is still listed.
    const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
    if (stdout.trim() === "" || stdout.startsWith("Z")) return;
    await setTimeout(20);
  }
}
