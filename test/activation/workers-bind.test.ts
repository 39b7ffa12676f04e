import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { waitFor } from "../system/wait.ts";
import { flags, node, runProgram, start } from "./program.ts";
import { ask, isAlive, server, startLoad, startSupervised } from "./supervised.ts";

/** A program that asks for these addresses, and prints where it listens. */
function binding(fallback: string, rest = ""): string {
  return `process.chdir(import.meta.dirname);
    await supervise({ workers: 2 }, async () => {
      const activation = activate({ fallback: ${fallback} });
      for (const name of Object.keys(${fallback})) {
        const server = http.createServer((request, response) => response.end(process.pid + " " + name));
        await activation.listen(server, name);
        console.log(name, JSON.stringify(server.address()));
      }
      ${rest}
    });`;
}

function portsOf(stdout: string, name: string): number[] {
  return [...stdout.matchAll(new RegExp(`^${name} .*"port":(\\d+)`, "gm"))].map(([, port]) => Number(port));
}

describe("workers without passed sockets", () => {
  it("share what their supervisor binds: two names with port 0 have a port each", async (t) => {
    const program = startSupervised(
      t,
      binding(`{ http: "127.0.0.1:0", admin: "[::1]:0", both: 0, again: "127.0.0.1:0" }`),
    );
    let stdout = "";
    program.child.stdout!.on("data", (text) => (stdout += text));
    await waitFor("all listen", async () => stdout.split("\n").length === 9);
    const ports = ["http", "admin", "both", "again"].map((name) => portsOf(stdout, name));
    for (const [one, other] of ports) assert.equal(one, other);
    assert.equal(new Set(ports.flat()).size, 4);
    const pids = new Set<string>();
    await waitFor("both answer", async () => {
      pids.add((await ask(ports[0]![0]!)).split(" ")[0]!);
      return pids.size === 2;
    });
    assert.match(await ask(ports[2]![0]!), / both$/);
    assert.match(await ask(ports[3]![0]!), / again$/);
    assert.match(await (await fetch(`http://[::1]:${ports[1]![0]}/`)).text(), / admin$/);
    program.child.kill();
    assert.deepEqual(await program.ended.then(({ code, stderr }) => [code, stderr]), [0, ""]);
    await assert.rejects(ask(ports[0]![0]!), /ECONNREFUSED/);
  });

  it("keep it when one of them crashes, and at a reload", async (t) => {
    const program = startSupervised(t, server("1"));
    let stdout = "";
    program.child.stdout!.on("data", (text) => (stdout += text));
    await waitFor("both listen", async () => stdout.split("\n").length === 3);
    const port = Number(/"port":(\d+)/.exec(stdout)![1]);
    await assert.rejects(ask(port, "/crash"));
    await waitFor("another one listens", async () => stdout.split("\n").length === 4);
    const load = startLoad(t, port, 4);
    const before = program.workers();
    program.replace(server("2"));
    program.child.kill("SIGHUP");
    await waitFor("the old workers end", async () => !before.some(isAlive), { timeout: 20_000 });
    assert.match(await ask(port), / 2$/);
    assert.deepEqual((await load.stop()).failures, []);
  });

  it("give up an address that a new version does not ask for", async (t) => {
    const program = startSupervised(t, binding(`{ http: "127.0.0.1:0", old: "unix:./old.sock" }`));
    await program.printed("old");
    const old = join(program.folder, "old.sock");
    await waitFor("it is bound", async () => existsSync(old));
    await waitFor("two workers", async () => program.workers().length === 2);
    program.replace(binding(`{ http: "127.0.0.1:0", young: "unix:./young.sock" }`));
    await waitFor("the second listens", async () => (await ask(old)).endsWith("old"));
    program.child.kill("SIGHUP");
    await waitFor("the old path is gone", async () => !existsSync(old));
    assert.match(await ask(join(program.folder, "young.sock")), / young$/);
  });

  it("bind nothing that the program does not listen on", async (t) => {
    const spare = holdSocket();
    const { port } = spare;
    spare.close();
    const script = `await supervise({ workers: 2 }, async () => {
      const activation = activate({ fallback: { http: "127.0.0.1:0", spare: "127.0.0.1:${port}" } });
      await activation.listen(http.createServer(), "http");
      console.log("listens");
    });`;
    const program = startSupervised(t, script);
    await program.printed("listens\nlistens\n");
    await assert.rejects(ask(port), /ECONNREFUSED/);
  });

  it("take a unix path over from a dead process, remove it at the end, and leave others' files alone", async (t) => {
    const script = binding(`{ http: "unix:./app.sock" }`);
    const first = startSupervised(t, script);
    const path = join(first.folder, "app.sock");
    await waitFor("it answers", async () => existsSync(path) && (await ask(path)).endsWith("http"));
    await waitFor("two workers", async () => first.workers().length === 2);
    const pids = first.workers();
    first.child.kill("SIGKILL");
    await waitFor("no worker is left", async () => !pids.some(isAlive));
    assert.ok(existsSync(path));
    const second = startSupervised(
      t,
      `process.chdir(${JSON.stringify(first.folder)}); ${script}`.replace("process.chdir(import.meta.dirname);", ""),
    );
    await waitFor("it answers", async () => (await ask(path).catch(() => "")).endsWith("http"));
    await waitFor("two workers", async () => second.workers().length === 2);
    second.child.kill();
    assert.equal((await second.ended).code, 0);
    assert.ok(!existsSync(path));

    writeFileSync(path, "mine");
    const third = await startSupervised(
      t,
      `process.chdir(${JSON.stringify(first.folder)}); ${script}`.replace("process.chdir(import.meta.dirname);", ""),
    ).ended;
    assert.equal(third.code, 1);
    assert.match(
      third.stderr,
      /^server\.mjs: cannot listen on "http" unix:\.\/app\.sock: listen EADDRINUSE: address already in use \.\/app\.sock\. Free it/,
    );
  });

  it("say what they would say alone where an address is taken, and can try another", async (t) => {
    const taken = holdSocket();
    t.after(() => taken.close());
    const fallback = `{ http: "127.0.0.1:${taken.port}" }`;
    const together = await startSupervised(t, binding(fallback)).ended;
    const alone = await runProgram(`await activate({ fallback: ${fallback} }).listen(http.createServer(), "http");`);
    assert.deepEqual([together.code, alone.code], [1, 1]);
    assert.equal(together.stderr.replace("server.mjs", "node"), alone.stderr);

    const other = startSupervised(
      t,
      `await supervise({ workers: 2 }, async () => {
         const activation = activate({ fallback: { http: "127.0.0.1:${taken.port}", other: "127.0.0.1:0" } });
         const server = http.createServer((request, response) => response.end("other"));
         try { await activation.listen(server, "http"); } catch (error) {
           console.log(error.code);
           await activation.listen(server, "other");
           activation.ready();
           console.log("listens", JSON.stringify(server.address()));
         }
       });`,
    );
    await other.printed("address-in-use\nlistens");
    await other.printed("}\naddress-in-use\nlistens");
  });

  it("say what they would say alone where the system refuses", async (t) => {
    const fallback = `{ http: "unix:/proc/app.sock" }`;
    const together = await startSupervised(t, binding(fallback)).ended;
    const alone = await runProgram(`await activate({ fallback: ${fallback} }).listen(http.createServer(), "http");`);
    assert.equal(together.code, 1);
    assert.equal(together.stderr.replace("server.mjs", "node"), alone.stderr);
  });

  it("share a datagram socket", async (t) => {
    const script = `await supervise({ workers: 2 }, async () => {
      const activation = activate({ fallback: { stats: "udp:0" } });
      const socket = dgram.createSocket("udp4").on("message", (text, { port }) => socket.send(text, port));
      await activation.listen(socket, "stats");
      console.log("listens", JSON.stringify(socket.address()));
    });`;
    const program = startSupervised(t, script);
    let stdout = "";
    program.child.stdout!.on("data", (text) => (stdout += text));
    await waitFor("both listen", async () => stdout.split("\n").length === 3);
    const ports = [...stdout.matchAll(/"port":(\d+)/g)].map(([, port]) => port);
    assert.equal(ports[0], ports[1]);
    const client = createSocket("udp4");
    const answer = new Promise((resolve) => client.once("message", (text) => resolve(String(text))));
    client.send("hello", Number(ports[0]), "127.0.0.1");
    assert.equal(await answer, "hello");
    client.close();
  });

  it("give a framework that listens itself the shared descriptor", async (t) => {
    const script = `await supervise({ workers: 2 }, async () => {
      const activation = activate({ fallback: { http: "127.0.0.1:0" } });
      const server = http.createServer((request, response) => response.end("hello"));
      server.listen(...activation.socket("http").listenArguments(), () => {
        activation.ready();
        console.log("listens", JSON.stringify(server.address()));
      });
    });`;
    const program = startSupervised(t, script);
    let stdout = "";
    program.child.stdout!.on("data", (text) => (stdout += text));
    await waitFor("both listen", async () => stdout.split("\n").length === 3);
    const ports = [...stdout.matchAll(/"port":(\d+)/g)].map(([, port]) => Number(port));
    assert.equal(ports[0], ports[1]);
    assert.equal(await ask(ports[0]!), "hello");
  });

  it("say what they lack where this Node has no node:ffi", async (t) => {
    const program = startSupervised(t, binding(`{ http: "127.0.0.1:0" }`));
    program.child.kill();
    const args = ["--no-experimental-ffi", ...flags, join(program.folder, "server.mjs")];
    const { code, stderr } = await start(node, args).ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^server\.mjs: cannot listen on "http" 127\.0\.0\.1:0: its supervisor binds it for all workers, and this Node \(v.*\) has no node:ffi to do so\. Use Node 26, or pass the sockets .*\n$/,
    );
  });
});
