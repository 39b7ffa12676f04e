/** Adoption by the definition: baked into the program that `rouse build` makes. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import { makeExecutable } from "../../src/executable.ts";
import { type HeldSocket, holdSocket, receiveDatagram } from "../helpers/passed-socket.ts";
import { makeProject } from "../helpers/project.ts";
import { root } from "../helpers/rouse.ts";
import { waitFor } from "../system/wait.ts";
import { ask, hold, stop } from "./adopted.ts";
import { flags, node, start } from "./program.ts";

const sockets = {
  http: { listen: 80, adopt: 3000 },
  stats: { listen: "udp:8125", adopt: "udp:8125" },
  admin: { listen: "unix:/run/greeter.sock", adopt: "unix:./admin.sock", optional: true },
};

async function project(t: TestContext, files: Readonly<Record<string, string>>, definition: object = { sockets }) {
  const entry = Object.keys(files)[0]!;
  const manifest = { name: "greeter", version: "1.2.3" };
  const config = { entry, ...definition };
  const folder = makeProject(t, { "package.json": manifest, "rouse.config.json": config, ...files });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return { folder, bundle: await bundleService(await readService(folder)) };
}

/** The bundle as a file that plain Node runs. */
async function bundled(t: TestContext, files: Readonly<Record<string, string>>, definition?: object): Promise<string> {
  const { folder, bundle } = await project(t, files, definition);
  assert.equal(bundle.usesRuntime, true);
  writeFileSync(join(folder, "bundle.cjs"), bundle.code);
  return join(folder, "bundle.cjs");
}

const LISTEN = (text: string) =>
  `.createServer((request, response) => response.end("${text}")).listen(3000, () => console.log("up"));`;

const programs: Record<string, Readonly<Record<string, string>>> = {
  CommonJS: { "server.cjs": `if (require.main === module) require("node:http")${LISTEN("built")}` },
  "an ES module": { "server.mjs": `import http from "node:http"; http${LISTEN("built")} export const x = 1;` },
  "a top-level await": { "server.mjs": `import http from "node:http"; await 0; http${LISTEN("built")}` },
  "a dependency that listens when it is imported": {
    "server.mjs": `import "./first.cjs"; export {};`,
    "first.cjs": `require("node:http")${LISTEN("built")}`,
  },
  "its own activate, too": {
    "server.ts": `import { activate } from "rouse"; import http from "node:http";
      http${LISTEN("built")} console.log(activate().source, activate().sockets().length);`,
  },
  "its own import of rouse/adopt, too": {
    "server.ts": `import "rouse/adopt"; import http from "node:http"; http${LISTEN("built")}`,
  },
};

describe("a bundle whose definition adopts", () => {
  for (const [title, files] of Object.entries(programs)) {
    it(`is installed before the first line: ${title}`, async (t) => {
      const file = await bundled(t, files, { sockets: { http: sockets.http } });
      const socket = hold();
      const program = start(node, [...flags, file], { sockets: { http: socket } });
      await program.printed("up");
      assert.equal(await ask(socket), "built");
      const { code, stdout, stderr } = await stop(program);
      assert.deepEqual([code, stderr], [0, ""]);
      if (title.includes("activate")) assert.match(stdout, /systemd 1/);
    });
  }

  it("changes nothing where it is started by hand", async (t) => {
    const file = await bundled(t, {
      "server.cjs": `const { Server } = require("node:net");
        console.log(/Reflect/.test(Server.prototype.listen), process.listenerCount("SIGTERM"));`,
    });
    const { code, stdout, stderr } = await start(node, [...flags, file]).ended;
    assert.deepEqual([code, stdout, stderr], [0, "false 0\n", ""]);
  });

  it("takes sockets that have no names where the program knows one, and the backlog of the definition", async (t) => {
    const definition = { sockets: { http: { ...sockets.http, backlog: 77 } } };
    const source = `const server = require("node:http").createServer().listen(3000, "localhost", 5, () => {
      console.log(require("node:child_process").execFileSync("ss", ["-Hltn", "sport = :" + server.address().port]).toString().split(/\\s+/)[2]);
      process.exit();
    });`;
    const file = await bundled(t, { "server.cjs": source }, definition);
    const env = { LISTEN_FDNAMES: undefined };
    const { stdout } = await start(node, [...flags, file], { sockets: { http: hold({ backlog: 7 }) }, env }).ended;
    assert.equal(stdout, "77\n");
  });

  it("takes the socket of inetd for the first that adopts", async (t) => {
    const file = await bundled(t, programs.CommonJS!, { sockets: { http: sockets.http } });
    const socket = hold();
    const program = start(node, [...flags, file], { stdin: socket });
    await program.printed("up");
    assert.equal(await ask(socket), "built");
    const { code, stderr } = await stop(program);
    assert.deepEqual([code, stderr], [0, ""]);
  });

  it("says what the definition would need for an address that the system refuses", async (t) => {
    const file = await bundled(t, { "server.cjs": `require("node:net").createServer().listen("/proc/x.sock");` });
    const { code, stderr } = await start(node, [...flags, file], { sockets: { http: hold() } }).ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /mapped: http=3000 stats=udp:8125 admin=unix:\.\/admin\.sock\. To adopt unix:\/proc\/x\.sock, give it a socket in the definition: \{ listen: \.\.\., adopt: "unix:\/proc\/x\.sock" \}/,
    );
  });
});

describe("workers of a definition that adopts", () => {
  const serve = (port: number) =>
    `require("node:http").createServer((request, response) => response.end(String(process.pid))).listen(${port}, "localhost", () => console.log("up"));`;
  const twoAnswer = async (port: number) => {
    const seen = new Set<string>();
    await waitFor("two workers answer", async () => seen.add(await ask(port)).size === 2);
  };

  it("serve the passed socket together", async (t) => {
    const file = await bundled(t, { "server.cjs": serve(3000) }, { workers: 2, sockets: { http: sockets.http } });
    const socket = hold();
    const program = start(node, [...flags, file], { sockets: { http: socket } });
    await twoAnswer(socket.port);
    const { code, stderr } = await stop(program);
    assert.deepEqual([code, stderr], [0, ""]);
  });

  it("share the program's own port where nothing was passed", async (t) => {
    const spare = holdSocket();
    spare.close();
    const definition = { workers: 2, sockets: { http: { listen: 80, adopt: spare.port } } };
    const file = await bundled(t, { "server.cjs": serve(spare.port) }, definition);
    const program = start(node, [...flags, file]);
    await program.printed("up\nup");
    await twoAnswer(spare.port);
    const { code, stderr } = await stop(program);
    assert.deepEqual([code, stderr], [0, ""]);
  });
});

describe("an executable whose definition adopts", () => {
  const linuxX64 = process.platform === "linux" && process.arch === "x64";
  const manager: HeldSocket[] = [];
  after(() => {
    for (const socket of manager) socket.close();
  });

  it("serves every kind, is ready when all are taken, and drains", {
    skip: linuxX64 ? false : "only a Linux x64 machine can run what is built",
  }, async (t) => {
    const { folder, bundle } = await project(t, {
      "server.mjs": `import dgram from "node:dgram";
        import express from "express";
        const app = express();
        app.get("/", (request, response) => setTimeout(() => response.send("from express"), request.query.slow ? 300 : 0));
        app.listen(3000, (error) => { if (error) throw error; console.log("http is up"); });
        express().listen("admin.sock", () => console.log("never"));
        const stats = dgram.createSocket("udp4");
        stats.on("message", (message, { port, address }) => stats.send("echo " + message, port, address));
        setTimeout(() => stats.bind(8125, () => console.log("stats is up")), 200);`,
    });
    const path = join(folder, "out/greeter");
    await makeExecutable(bundle, "linux-x64", path, { host: "linux-x64" });
    const notify = join(folder, "notify.sock");
    manager.push(holdSocket({ path: notify, type: "datagram" }));
    const passed = { stats: hold({ type: "datagram" }), http: [hold(), hold({ path: join(folder, "http.sock") })] };

    const program = start(path, [], { sockets: passed, env: { NOTIFY_SOCKET: notify } });
    await program.printed("http is up");
    assert.equal(receiveDatagram(manager[0]!), undefined);
    await program.printed("stats is up");
    assert.equal(await ask(passed.http[0]!), "from express");
    assert.equal(await ask(join(folder, "http.sock")), "from express");
    const client = createSocket("udp4");
    client.send("hello", passed.stats.port, "127.0.0.1");
    assert.equal(String((await once(client, "message"))[0]), "echo hello");
    client.close();
    assert.equal(receiveDatagram(manager[0]!), "READY=1");

    const slow = fetch(`http://127.0.0.1:${passed.http[0]!.port}/?slow=1`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    program.child.kill("SIGTERM");
    assert.equal(await (await slow).text(), "from express");
    assert.deepEqual(await program.ended, { code: 0, signal: null, stdout: "http is up\nstats is up\n", stderr: "" });
    assert.equal(receiveDatagram(manager[0]!), "STOPPING=1");
  });
});
