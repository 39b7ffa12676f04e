/** What the installed package rouse-activation does by node:ffi, and how far it comes where that is missing, as on Node 20. */
import assert from "node:assert/strict";
import { type StdioOptions, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { node20 } from "../helpers/old-node.ts";
import { startProgram } from "../helpers/on-demand.ts";
import { type HeldSocket, holdSocket, receiveDatagram } from "../helpers/passed-socket.ts";
import { installActivation, nodes } from "./activation.ts";

const activation = installActivation();
const { folder, write } = activation;
after(() => activation[Symbol.dispose]());

/** Ready, and gone. */
const READY = `import { createServer } from "node:http"; import { activate } from "rouse-activation";
  const activation = activate(); await activation.listen(createServer(), "http"); await activation.ready(); process.exit();`;

for (const [title, find] of Object.entries(nodes)) {
  describe(title, () => {
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
  assert.match(
    stderr,
    /^udp0\.cjs: "unknown" descriptor 0 udp:127\.0\.0\.1:\d+ cannot be served with dgram[^\n]*no node:ffi\. Use Node 26/,
  );
  assert.equal(status, 1);
});

// --- internal ---

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
