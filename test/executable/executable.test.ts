import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import { loadBase } from "../../src/executable/base.ts";
import { makeBlob } from "../../src/executable/blob.ts";
import { injectElf } from "../../src/executable/inject-elf.ts";
import { smokeRun } from "../../src/executable/smoke-run.ts";
import { makeExecutable } from "../../src/executable.ts";
import { RouseError } from "../../src/problem.ts";
import { holdSocket, spawnActivated } from "../helpers/passed-socket.ts";
import { hello, makeProject } from "../helpers/project.ts";

const linuxX64 = process.platform === "linux" && process.arch === "x64";
const skip = linuxX64 ? false : "only a Linux x64 machine can run what is built";

async function build(t: TestContext, server: string, files: Record<string, unknown> = {}): Promise<string> {
  const folder = makeProject(t, { ...hello({ server }), ...files });
  const path = join(folder, "out/greeter");
  await makeExecutable(await bundleService(await readService(folder)), "linux-x64", path, { host: "linux-x64" });
  return path;
}

test("the executable is the program: its arguments, its exit code, no option of Node", { skip }, async (t) => {
  const path = await build(t, `console.log(process.argv.slice(2).join(" ")); process.exit(7);`);
  const { status, stdout } = spawnSync(path, ["--version", "--inspect", "x"], { encoding: "utf8" });
  assert.equal(stdout, "--version --inspect x\n");
  assert.equal(status, 7);
});

test("the process goes by the program's name, with its arguments", { skip }, async (t) => {
  const path = await build(
    t,
    `import { readFileSync } from "node:fs"; for (const x of ["comm", "cmdline"]) console.log(readFileSync("/proc/self/" + x, "utf8").trim());`,
  );
  const stdout = execFileSync(path, ["--port", "1"], { encoding: "utf8" });
  assert.deepEqual(
    stdout
      .trim()
      .split(/[\n\0]/)
      .filter(Boolean),
    ["greeter", path, "--port", "1"],
  );
});

test("a smoke run ends before the program also when its builder is gone; a stray variable ends no service", {
  skip,
}, async (t) => {
  const path = await build(t, 'console.log("the program runs");');
  const run = (value: string): string => {
    const env = { ...process.env, ROUSE_SMOKE_RUN: value };
    // Through a shell that is gone when the program starts: it has another parent then.
    const script = '(sleep 0.2; exec "$0") & exit';
    return spawnSync("sh", ["-c", script, path], { env, encoding: "utf8" }).stdout;
  };
  assert.match(run(path), /^rouse-smoke-run /);
  for (const value of ["", "1", "/usr/bin/other"]) assert.equal(run(value), "the program runs\n");
});

test("a drain ends within the definition's stopTimeout, before systemd would kill", { skip }, async (t) => {
  const folder = makeProject(
    t,
    hello({
      definition: { stopTimeout: "2s" },
      server: `import { createServer } from "node:net";
import { activate } from "rouse";
await activate({ fallback: { http: 0 } }).listen(createServer(() => {}), "http");
console.log("listening");`,
    }),
  );
  const path = join(folder, "out/greeter");
  const service = await readService(folder);
  await makeExecutable(await bundleService(service), "linux-x64", path, { host: "linux-x64" });
  const socket = holdSocket();
  t.after(() => socket.close());
  const child = spawnActivated(path, [], { sockets: { http: socket } });
  await once(child.stdout!, "data");
  const client = connect(socket.port, "127.0.0.1"); // A client that never ends its connection.
  client.on("error", () => {});
  await once(client, "connect");
  const begun = performance.now();
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  client.destroy();
  assert.equal(code, 0);
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(seconds > 1 && seconds < 2, `ended after ${seconds} s`);
});

test("NODE_OPTIONS has no effect", { skip }, async (t) => {
  const path = await build(t, "console.log(1);");
  const env = { ...process.env, NODE_OPTIONS: "--no-such-option --require ./nothing.js" };
  assert.equal(execFileSync(path, { env, encoding: "utf8" }), "1\n");
});

for (const [kind, tail] of [
  ["CommonJS", ""],
  ["top-level await", "await 0;"],
] as const) {
  test(`a stack trace names the user's TypeScript lines (${kind})`, { skip }, async (t) => {
    const path = await build(t, `import { fail } from "./lib.ts";\n${tail}\nfail({ why: "lost" });\n`, {
      "src/lib.ts":
        "interface Reason {\n  why: string;\n}\n\nexport function fail(reason: Reason): never {\n  throw new TypeError(reason.why);\n}\n",
    });
    const { status, stderr } = spawnSync(path, { encoding: "utf8" });
    assert.equal(status, 1);
    assert.doesNotMatch(stderr, /main\.js/, "no line of the bundle");
    assert.match(stderr, /^TypeError: lost\n {4}at fail \(src\/lib\.ts:6:9\)\n {4}at (.*\()?src\/server\.ts:3:1\)?/);
  });
}

test("FFI, sqlite and workers are there, and no warning is printed", { skip }, async (t) => {
  const path = await build(
    t,
    `import { DatabaseSync } from "node:sqlite";
     import { Worker } from "node:worker_threads";
     const ffi = process.getBuiltinModule("node:ffi");
     const { lib } = ffi.dlopen(null);
     const getpid = lib.getFunction("getpid", { arguments: [], return: "i32" });
     console.log(getpid() === process.pid, new DatabaseSync(":memory:").prepare("select 6*7 as x").get().x);
     new Worker("require('node:worker_threads').parentPort.postMessage(1)", { eval: true }).on("message", (x) => console.log("worker", x));`,
  );
  const { stdout, stderr } = spawnSync(path, { encoding: "utf8" });
  assert.equal(stdout, "true 42\nworker 1\n");
  assert.equal(stderr, "");
});

test("the same program gives the same bytes, from two folders", { skip }, async (t) => {
  const server = hello()["src/server.ts"] as string;
  const [one, other] = [await build(t, server), await build(t, server)];
  assert.ok(readFileSync(one).equals(readFileSync(other)));
});

test("a code cache that V8 does not take is a failed build", { skip }, async (t) => {
  const folder = makeProject(t, hello({ server: "console.log(1);" }));
  const bundle = await bundleService(await readService(folder));
  const made = injectElf((await loadBase("linux-x64")).bytes, await makeBlob(bundle, true));
  const good = Buffer.concat(made);
  // SerializedCodeData (v8/src/snapshot/code-serializer.h) begins with a magic number; the third word is the hash of V8's flags.
  const cache = good.indexOf(Buffer.from("c0de", "hex").reverse(), good.lastIndexOf("NODE_SEA_BLOB"));
  assert.notEqual(cache, -1, "the cache is in the blob");
  const path = join(folder, "greeter");
  writeFileSync(path, good, { mode: 0o755 });
  await smokeRun(path);
  good.writeUInt32LE((good.readUInt32LE(cache - 2 + 12) ^ 0xffff) >>> 0, cache - 2 + 12);
  writeFileSync(path, good, { mode: 0o755 });
  await assert.rejects(smokeRun(path), /V8 does not take the code cache/);
});

test("a build that cannot start what it made leaves no file", { skip }, async (t) => {
  const folder = makeProject(t, hello({ server: "console.log(1);" }));
  const bundle = await bundleService(await readService(folder));
  const broken = { ...bundle, code: "process.exit(3);" };
  const path = join(folder, "out/greeter");
  await assert.rejects(
    makeExecutable(broken, "linux-x64", path, { host: "linux-x64" }),
    (error) => error instanceof RouseError && error.problems[0]?.code === "smoke-run",
  );
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test("a base that changed in the cache is thrown away, with the reason", { skip }, async (t) => {
  const cache = makeProject(t, {});
  const base = join(cache, "node", process.version, "linux-x64");
  mkdirSync(dirname(base), { recursive: true });
  cpSync(dirname(process.execPath), base, { recursive: true });
  const file = openSync(join(base, "node"), "r+");
  writeSync(file, "x", 1_000_000);
  closeSync(file);
  await assert.rejects(
    loadBase("linux-x64", { cache }),
    (error) => error instanceof RouseError && error.problems[0]?.code === "base-integrity",
  );
  assert.equal(existsSync(base), false);
});

test("a registry that gives another file: refused, nothing is cached", async (t) => {
  const cache = makeProject(t, {});
  const registry = await serve(t, (url) =>
    url.endsWith(".tgz") ? [200, Buffer.from("no archive at all")] : [404, Buffer.alloc(0)],
  );
  const error = await fetchFrom(registry, cache);
  assert.equal(error.problems[0]?.code, "base-integrity");
  assert.deepEqual(readdirSync(join(cache, "node", process.version)), []);
});

test("a registry that refuses, and one that is not there", async (t) => {
  const cache = makeProject(t, {});
  const refusing = await fetchFrom(await serve(t, () => [503, Buffer.alloc(0)]), cache);
  assert.equal(refusing.problems[0]?.code, "base-download");
  assert.match(refusing.message, /answered 503/);
  const nobody = await fetchFrom(await closedPort(), cache);
  assert.equal(nobody.problems[0]?.code, "base-download");
  assert.match(nobody.message, /ECONNREFUSED/);
  for (const { problems } of [refusing, nobody]) assert.match(problems[0]?.mend ?? "", /npm config get registry/);
});

// --- internal ---

async function serve(t: TestContext, answer: (url: string) => [status: number, body: Buffer]): Promise<string> {
  const server = createServer((request, response) => {
    const [status, body] = answer(request.url ?? "");
    response.writeHead(status).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** The address of a server that is no more. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return `http://127.0.0.1:${port}/`;
}

async function fetchFrom(registry: string, cache: string): Promise<RouseError> {
  const before = process.env.npm_config_registry;
  process.env.npm_config_registry = registry;
  try {
    await loadBase("linux-x64", { cache });
  } catch (error) {
    if (error instanceof RouseError) return error;
    throw error;
  } finally {
    if (before === undefined) delete process.env.npm_config_registry;
    else process.env.npm_config_registry = before;
  }
  throw new Error("the base was accepted");
}
