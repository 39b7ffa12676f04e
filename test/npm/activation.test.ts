/** The package rouse-activation, as somebody gets it who does not build with Rouse: packed, installed elsewhere, served with. */
import assert from "node:assert/strict";
import { execFileSync, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { build } from "esbuild";
import { node20 } from "../helpers/old-node.ts";
import { serveOnDemand, startProgram } from "../helpers/on-demand.ts";
import { type HeldSocket, holdSocket, receiveDatagram } from "../helpers/passed-socket.ts";
import { root } from "../helpers/rouse.ts";
import { has } from "../helpers/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-activation-"));
const installed = join(folder, "node_modules/rouse-activation");
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** A npm that knows of no settings of this machine, whose mistakes it would warn of. */
function npm(...args: readonly string[]): { stdout: string; stderr: string } {
  const env = { ...process.env, npm_config_userconfig: "/dev/null", npm_config_cache: join(folder, "npm-cache") };
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: folder, env, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
}

/** The folder that would be published, and its archive. */
function pack(name: string): { folder: string; archive: string } {
  const packed = join(folder, name);
  const script = join(root, "scripts/pack-activation.ts");
  execFileSync(process.execPath, [script, join(packed, "package")], { stdio: ["ignore", "pipe", "inherit"] });
  npm("pack", join(packed, "package"), "--pack-destination", packed, "--silent");
  const archive = readdirSync(packed).find((file) => file.endsWith(".tgz"))!;
  return { folder: join(packed, "package"), archive: join(packed, archive) };
}

const SERVER = `
  const server = createServer((request, response) => {
    if (request.url !== "/slow") return response.end("served by " + process.version);
    process.kill(process.pid, "SIGTERM"); // What is being answered now must be answered whole.
    setTimeout(() => response.end("slow but whole"), 300);
  });
  activate({ fallback: { http: 0 } }).listen(server, "http");`;

const programs = {
  import: [
    "server.mjs",
    `import { createServer } from "node:http"; import { activate } from "rouse-activation"; ${SERVER}`,
  ],
  require: [
    "server.cjs",
    `const { createServer } = require("node:http"); const { activate } = require("rouse-activation"); ${SERVER}`,
  ],
} as const;

const UNAWARE = `http.createServer((request, response) => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => response.end("slow but whole"), 300);
  }).listen(3000);`;

/** The arguments of node. */
const adopting: Readonly<Record<string, readonly string[]>> = {
  "--import": ["--import", "rouse-activation/adopt", join(folder, "unaware.mjs")],
  "--require": ["--require", "rouse-activation/adopt", join(folder, "unaware.mjs")],
  "a first import": [join(folder, "adopts.mjs")],
};

/** Ready, and gone. */
const READY = `import { createServer } from "node:http"; import { activate } from "rouse-activation";
  const activation = activate(); await activation.listen(createServer(), "http"); await activation.ready(); process.exit();`;

const nodes: Readonly<Record<string, (t: TestContext) => Promise<string | undefined>>> = {
  "Node 20": node20,
  "the pinned Node": async () => process.execPath,
};

/** What listens where NOTIFY_SOCKET says. */
function listenForState(): Disposable & { path: string; received(): string[]; connect(): HeldSocket } {
  const path = join(folder, "notify.sock");
  const manager = holdSocket({ path, type: "datagram" });
  return {
    path,
    connect: () => holdSocket({ to: path, type: "datagram" }),
    received() {
      const messages: string[] = [];
      for (let one = receiveDatagram(manager); one !== undefined; one = receiveDatagram(manager)) messages.push(one);
      return messages;
    },
    [Symbol.dispose]() {
      manager.close();
      rmSync(path);
    },
  };
}

let first: ReturnType<typeof pack>;

before(() => {
  first = pack("first");
  write("package.json", "{}");
  // Offline, with an empty cache: it has no dependency.
  npm("install", "--offline", "--no-audit", "--no-fund", first.archive);
  for (const [name, text] of Object.values(programs)) write(name, text);
  write("unaware.mjs", `import http from "node:http"; ${UNAWARE}`);
  write("adopts.mjs", `import "rouse-activation/adopt"; import http from "node:http"; ${UNAWARE}`);
});

describe("what is packed", () => {
  test("has no dependency and no script, and is less than 40 KB to download", (t) => {
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    for (const key of ["dependencies", "peerDependencies", "optionalDependencies", "scripts", "bin"]) {
      assert.equal(manifest[key], undefined, key);
    }
    assert.equal(manifest.version, JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
    const files = readdirSync(installed).map((name) => ({ name, bytes: statSync(join(installed, name)).size }));
    const unpacked = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const code = files.find(({ name }) => name === "runtime.cjs")!.bytes;
    const archive = statSync(first.archive).size;
    t.diagnostic(`${archive} bytes to download; ${unpacked} unpacked, of which ${code} are code`);
    assert.ok(archive < 40_000);
    assert.ok(files.some(({ name }) => name === "LICENSE"));
  });

  test("reaches nothing but node:", () => {
    const text = readFileSync(join(installed, "runtime.cjs"), "utf8");
    const reached = [...text.matchAll(/(?:require|getBuiltinModule)\("([^"]+)"\)/g)].map(([, name]) => name!);
    assert.ok(reached.includes("node:net"));
    for (const name of reached) assert.match(name, /^node:/);
  });

  test("is the same, byte for byte, when packed again", () => {
    const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
    assert.equal(digest(pack("second").archive), digest(first.archive));
  });

  test("can be published: npm has nothing to warn of and nothing to mend", () => {
    const { stderr } = npm("pack", first.folder, "--dry-run");
    assert.doesNotMatch(stderr, /warn|error/i);
    const before = readFileSync(join(first.folder, "package.json"), "utf8");
    npm("pkg", "fix", "--prefix", first.folder);
    assert.equal(readFileSync(join(first.folder, "package.json"), "utf8"), before);
  });

  test("offers only files that are there", () => {
    const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    const targets = (value: unknown): string[] =>
      typeof value === "string" ? [value] : Object.values(value as object).flatMap(targets);
    for (const target of targets(exports)) assert.ok(statSync(join(installed, target)).isFile());
  });
});

for (const [title, find] of Object.entries(nodes)) {
  describe(title, () => {
    for (const [how, [file]] of Object.entries(programs)) {
      test(`serves by ${how} under systemd-socket-activate, and SIGTERM drains it`, async (t) => {
        const node = await find(t);
        if (node === undefined || !has(t, "systemd-socket-activate", "systemd")) return;
        await using service = await serveOnDemand(node, [join(folder, file)]);
        assert.match(await service.get("/"), /^served by v2\d/);
        assert.equal(await service.get("/slow"), "slow but whole");
        const { code, stderr } = await service.ended;
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(stderr, /warning/i);
      });
    }

    for (const format of ["esm", "cjs"] as const) {
      test(`serves when a bundler has put it into one ${format} file`, async (t) => {
        const node = await find(t);
        if (node === undefined) return;
        const outfile = join(folder, `bundled-${format}.${format === "esm" ? "mjs" : "cjs"}`);
        const logLevel = "warning"; // There should be none.
        const entryPoints = [join(folder, programs.import[0])];
        const { warnings } = await build({ entryPoints, outfile, bundle: true, platform: "node", format, logLevel });
        assert.deepEqual(warnings, []);
        const http = holdSocket();
        const { child, ended } = startProgram(node, [outfile], { sockets: { http } });
        assert.match(await (await fetch(`http://127.0.0.1:${http.port}/`)).text(), /^served by/);
        child.kill("SIGTERM");
        http.close();
        assert.deepEqual(await ended, { code: 0, stdout: "", stderr: "" });
      });
    }

    for (const [how, args] of Object.entries(adopting)) {
      test(`serves a program that has never heard of it, by ${how}`, async (t) => {
        const node = await find(t);
        if (node === undefined || !has(t, "systemd-socket-activate", "systemd")) return;
        await using service = await serveOnDemand(node, args, { cwd: folder });
        assert.equal(await service.get("/slow"), "slow but whole");
        const { code, stderr } = await service.ended;
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(stderr, /warning/i);
      });
    }

    test("serves a UDP socket, and one on descriptor 0 that it is told of", async (t) => {
      const node = await find(t);
      if (node === undefined) return;
      const [http, stats] = [holdSocket(), holdSocket({ type: "datagram" })];
      const udp = write(
        "udp.mjs",
        `import dgram from "node:dgram"; import { activate } from "rouse-activation";
         const socket = dgram.createSocket("udp4");
         socket.on("message", (text) => { console.log("received " + text); process.kill(process.pid, "SIGTERM"); });
         await activate().listen(socket, "stats");`,
      );
      const sender = createSocket("udp4").unref();
      sender.send("ping", stats.port, "127.0.0.1"); // Waits in the socket.
      const options = { sockets: { stats } };
      assert.deepEqual(await startProgram(node, [udp], options).ended, {
        code: 0,
        stdout: "received ping\n",
        stderr: "",
      });
      const inetd = `const { activate } = require("rouse-activation"); const { createServer } = require("node:http");
        activate({ fdFlag: true, fallback: { http: 1 } }).listen(createServer((request, response) => {
          response.end("by descriptor 0"); process.kill(process.pid, "SIGTERM"); }), "http");`;
      const child = spawn(node, [write("inetd.cjs", inetd), "--fd", "0"], { stdio: [http.fd, "pipe", "inherit"] });
      const ended = once(child, "exit");
      assert.equal(await (await fetch(`http://127.0.0.1:${http.port}/`)).text(), "by descriptor 0");
      assert.equal((await ended)[0], 0);
      for (const socket of [http, stats]) socket.close();
    });

    test("has one state for import, require and a second copy", async (t) => {
      const node = await find(t);
      if (node === undefined) return;
      cpSync(installed, join(folder, "framework/node_modules/rouse-activation"), { recursive: true });
      const program = write(
        "copies.mjs",
        `import { createRequire } from "node:module";
         import * as imported from "rouse-activation";
         const copies = ["./copies.mjs", "./framework/index.js"].map((from) =>
           createRequire(new URL(from, import.meta.url))("rouse-activation"));
         const socket = imported.activate().socket("http");
         console.log(socket.fd, copies.every((copy) => copy.activate().socket("http") === socket));
         console.log(copies.every((copy) => copy.ActivationError === imported.ActivationError));
         const namesOf = (module) => String(Object.keys(module).filter((name) => !/default|module/.test(name)).sort());
         console.log(copies.every((copy) => namesOf(copy) === namesOf(imported)));
         process.exit();`,
      );
      const http = holdSocket();
      const { stdout, stderr } = await startProgram(node, [program], { sockets: { http } }).ended;
      http.close();
      assert.deepEqual([stdout, stderr], ["3 true\ntrue\ntrue\n", ""]);
    });

    test("says READY=1 by node:ffi, and prints nothing that nobody asked for", async (t) => {
      const node = await find(t);
      if (node === undefined) return;
      using manager = listenForState();
      const [http, program] = [holdSocket(), write("ready.mjs", READY)];
      const options = { sockets: { http }, env: { NOTIFY_SOCKET: manager.path } };
      assert.deepEqual(await startProgram(node, [program], options).ended, { code: 0, stdout: "", stderr: "" });
      const debug = { ...options.env, ROUSE_DEBUG: "activation" };
      const { stderr } = await startProgram(node, [program], { ...options, env: debug }).ended;
      http.close();
      const mute = stderr
        .split("\n")
        .filter((line) => /cannot be used: this Node \(v20\S+\) has no node:ffi/.test(line));
      const hasFfi = node === process.execPath;
      assert.equal(mute.length, hasFfi ? 0 : 1, stderr);
      assert.deepEqual(manager.received(), hasFfi ? ["READY=1", "READY=1"] : []);
    });

    test("says READY=1 by the descriptor of OpenFile=", async (t) => {
      const node = await find(t);
      if (node === undefined) return;
      using manager = listenForState();
      const [http, program] = [holdSocket(), write("ready.mjs", READY)];
      const notify = manager.connect();
      const options = { sockets: { http, notify }, env: { NOTIFY_SOCKET: manager.path } };
      assert.deepEqual(await startProgram(node, [program], options).ended, { code: 0, stdout: "", stderr: "" });
      for (const socket of [http, notify]) socket.close();
      assert.deepEqual(manager.received(), ["READY=1"]);
    });
  });
}

test("a UDP socket on descriptor 0, which Node 20 would pass over and bind another port, is refused there", async (t) => {
  const node = await node20(t);
  if (node === undefined) return;
  const stats = holdSocket({ type: "datagram" });
  const program = write(
    "udp0.cjs",
    `const { activate } = require("rouse-activation"); const { createSocket } = require("node:dgram");
     activate({ fdFlag: true }).listen(createSocket("udp4"), "unknown");`,
  );
  const stdio: StdioOptions = [stats.fd, "pipe", "pipe"];
  const { status, stderr } = spawnSync(node, [program, "--fd", "0"], { stdio, encoding: "utf8", timeout: 20_000 });
  stats.close();
  assert.match(stderr, /^udp0\.cjs: "unknown" descriptor 0 cannot be served with dgram[^\n]*no node:ffi\. Use Node 26/);
  assert.equal(status, 1);
});

describe("types", () => {
  const right = `import { activate, ActivationError, type Activation } from "rouse-activation";
    import "rouse-activation/adopt";
    import { createServer } from "node:http";
    const activation: Activation<"http"> = activate({ fallback: { http: 8080 } });
    export const done: Promise<void> = activation.listen(createServer(), "http");
    export const code = (error: unknown): string => (error instanceof ActivationError ? error.code : "none");`;
  const wrong = `import { activate } from "rouse-activation"; activate({ fallback: { http: 1 } }).socket("htpp");`;
  const projects: Readonly<Record<string, readonly [manifest: object, options: object]>> = {
    "a nodenext project of ES modules": [{ type: "module" }, { module: "nodenext" }],
    "a nodenext project of CommonJS": [{ type: "commonjs" }, { module: "nodenext" }],
    "a node16 project of CommonJS": [{ type: "commonjs" }, { module: "node16" }],
    "a project for a bundler": [{}, { module: "esnext", moduleResolution: "bundler" }],
  };
  for (const [title, [manifest, options]] of Object.entries(projects)) {
    test(`fit ${title}, and catch a wrong name`, () => {
      const project = join(folder, title.replaceAll(" ", "-"));
      mkdirSync(project);
      // No types are named: the package itself asks for those of Node. Its own are checked, too.
      const compilerOptions = {
        strict: true,
        noEmit: true,
        target: "es2022",
        typeRoots: [join(root, "node_modules/@types")],
        ...options,
      };
      writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
      writeFileSync(join(project, "right.ts"), right);
      writeFileSync(join(project, "wrong.ts"), wrong);
      const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", project], { encoding: "utf8" });
      assert.match(stdout, /^\S*wrong\.ts\(1,[^\n]*"htpp"[^\n]*\n$/);
    });
  }
});
