import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import { makeExecutable } from "../../src/executable.ts";
import { type HeldSocket, holdSocket, receiveDatagram } from "../helpers/passed-socket.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { waitFor } from "../system/wait.ts";
import { start } from "./program.ts";
import { ask, isAlive, startLoad, type Watched, watchSupervised } from "./supervised.ts";

const linuxX64 = process.platform === "linux" && process.arch === "x64";
const skip = linuxX64 ? false : "only a Linux x64 machine can run what is built";

const held: HeldSocket[] = [];
function hold(options: Parameters<typeof holdSocket>[0] = {}): HeldSocket {
  const socket = holdSocket(options);
  held.push(socket);
  return socket;
}
after(() => {
  for (const socket of held) socket.close();
});

const SERVER = (version: string, before = "") => `import { createServer } from "node:http";
import { activate } from "rouse";
${before}
console.log("the program of ${version} runs", process.argv.slice(2).join(" "));
const server = createServer((request, response) => {
  if (request.url === "/throw") setImmediate(() => { throw new Error("thrown"); });
  else setTimeout(() => response.end(process.pid + " ${version}"), Number(request.url!.slice(2)));
});
activate({ fallback: { http: "127.0.0.1:0" } }).listen(server, "http").then(() => console.log("listens", JSON.stringify(server.address())));
`;

/** Makes the executable at out/greeter, whole or not at all, in the place of one that runs. */
async function build(folder: string, server: string): Promise<string> {
  writeFileSync(join(folder, "src/server.ts"), server);
  const path = join(folder, "out/greeter");
  await makeExecutable(await bundleService(await readService(folder)), "linux-x64", path, { host: "linux-x64" });
  return path;
}

function project(t: TestContext, definition: object = {}): string {
  return makeProject(t, hello({ definition: { workers: 2, ...definition } }));
}

async function startBuilt(t: TestContext, path: string, args: readonly string[] = []) {
  const http = hold();
  const NOTIFY_SOCKET = `@rouse-built-${process.pid}-${http.port}`;
  const notify = hold({ path: NOTIFY_SOCKET, type: "datagram" });
  const program = watchSupervised(t, start(path, args, { sockets: { http }, env: { NOTIFY_SOCKET } }));
  const ready = () => waitFor("READY=1", async () => receiveDatagram(notify)?.startsWith("READY=1"));
  await ready();
  return { program, port: http.port, ready };
}

async function upgrade(program: Watched, ready: () => Promise<unknown>): Promise<void> {
  const before = program.workers();
  program.child.kill("SIGHUP");
  await ready();
  await waitFor("the old workers end", async () => !before.some(isAlive));
}

describe("a built service with workers", { skip }, () => {
  it("runs the program in its workers only, and hands over to what is built in its place", async (t) => {
    const folder = project(t);
    const path = await build(folder, SERVER("one"));
    const { program, port, ready } = await startBuilt(t, path, ["--verbose", "x"]);
    assert.equal(program.workers().length, 2);
    const load = startLoad(t, port, 4);
    const slow = ask(port, "/?2000");
    await sleep(200);
    // A program with a top-level await has another form.
    await build(folder, SERVER("two", "await new Promise((resolve) => setTimeout(resolve, 100));"));
    await upgrade(program, ready);
    assert.match(await ask(port), / two$/);
    assert.match(await slow, / one$/);
    assert.deepEqual((await load.stop()).failures, []);
    program.child.kill();
    const { code, stdout, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout.match(/the program of one runs --verbose x\n/g)?.length, 2);
    assert.equal(stdout.match(/the program of two runs --verbose x\n/g)?.length, 2);
  });

  it("keeps the old version where the new one does not start, and where there is none", async (t) => {
    const folder = project(t);
    const path = await build(folder, SERVER("one"));
    const { program, port, ready } = await startBuilt(t, path);
    await build(folder, `import "rouse"; ${SERVER("two")} throw new Error("no license");`);
    program.child.kill("SIGHUP");
    await ready();
    assert.match(await ask(port), / one$/);
    rmSync(path);
    program.child.kill("SIGHUP");
    await ready();
    assert.match(await ask(port), / one$/);
    await build(folder, SERVER("three"));
    await upgrade(program, ready);
    assert.match(await ask(port), / three$/);
    program.child.kill();
    const { stderr } = await program.ended;
    assert.match(stderr, /Error: no license\n\s+at src\/server\.ts:\d+:\d+/);
    assert.match(stderr, /greeter: warning: reload failed: worker \d+ ended with exit code 1; the version before/);
    assert.match(
      stderr,
      /greeter: warning: reload failed: a worker cannot be started: spawn .* ENOENT; the version before/,
    );
  });

  it("starts what a symbolic link leads to by then", async (t) => {
    const folder = project(t);
    renameSync(await build(folder, SERVER("one")), join(folder, "one"));
    const link = join(folder, "greeter");
    symlinkSync("one", link);
    const { program, port, ready } = await startBuilt(t, link);
    renameSync(await build(folder, SERVER("two")), join(folder, "two"));
    symlinkSync("two", join(folder, "next"));
    renameSync(join(folder, "next"), link);
    await upgrade(program, ready);
    assert.match(await ask(port), / two$/);
  });

  it("names the user's lines where a worker throws, and replaces that", async (t) => {
    const { program, port } = await startBuilt(t, await build(project(t), SERVER("one")));
    await assert.rejects(ask(port, "/throw"), /socket hang up|ECONNRESET/);
    await waitFor("two workers", async () => program.workers().length === 2);
    program.child.kill();
    assert.match((await program.ended).stderr, /Error: thrown\n\s+at Immediate\.<anonymous> \(src\/server\.ts:6:\d+\)/);
  });

  it("kills what does not end within stopTimeout", async (t) => {
    const folder = project(t, { stopTimeout: "2s" });
    const deaf = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`;
    const { program, port, ready } = await startBuilt(t, await build(folder, SERVER("one", deaf)));
    const before = program.workers();
    await build(folder, SERVER("two"));
    program.child.kill("SIGHUP");
    await ready();
    await waitFor("the old workers end", async () => !before.some(isAlive));
    assert.match(await ask(port), / two$/);
    await build(folder, SERVER("three", deaf));
    await upgrade(program, ready);
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("binds the fallback where nothing is passed", async (t) => {
    const path = await build(project(t), SERVER("one"));
    const program = watchSupervised(t, start(path, []));
    let stdout = "";
    program.child.stdout!.on("data", (text) => (stdout += text));
    await waitFor("both listen", async () => stdout.match(/listens/g)?.length === 2);
    const ports = [...stdout.matchAll(/"port":(\d+)/g)].map(([, port]) => Number(port));
    assert.equal(ports[0], ports[1]);
    assert.match(await ask(ports[0]!), / one$/);
  });

  it("answers --version once, and a failure at the start with the program's own exit code", async (t) => {
    const before = `if (process.argv[2] === "--version") { console.log("1.2.3"); process.exit(); }
      if (process.argv[2] === "--bad") { console.error("no such option"); process.exit(64); }`;
    const path = await build(project(t), SERVER("one", before));
    assert.equal(execFileSync(path, ["--version"], { encoding: "utf8" }), "1.2.3\n");
    const { status, stderr } = spawnSync(path, ["--bad"], { encoding: "utf8" });
    assert.deepEqual([status, stderr], [64, "no such option\n"]);
  });
});
