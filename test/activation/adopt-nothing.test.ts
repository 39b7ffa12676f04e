/** What adoption leaves alone: other calls, copies of the program, and a program that was passed nothing. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { ask, hold, startAdopted, startAdoptedNode, stop } from "./adopted.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-adopt-nothing-"));
after(() => rmSync(folder, { recursive: true }));

describe("other calls", () => {
  it("are untouched, and where the system refuses them the error says why", async () => {
    const { stdout } = await startAdopted(
      `const socket = net.createServer();
       socket.on("error", (error) => { console.log(error.code, error.message); console.log(error.stack.includes(error.message)); process.exit() });
       socket.listen("/proc/refused.sock");`,
      { sockets: { http: hold() }, map: "http=3000" },
    ).ended;
    const [message, inStack] = stdout.split("\n");
    assert.match(
      message!,
      /^EACCES listen EACCES: permission denied \/proc\/refused\.sock\. This address is not adopted.*; passed: "http" descriptor 3 127\.0\.0\.1:\d+; mapped: http=3000\. To adopt unix:\/proc\/refused\.sock, /,
    );
    assert.equal(inStack, "true");
  });

  it("fail as ever where nobody hears the error", async () => {
    const { code, stderr } = await startAdopted(`net.createServer().listen("/proc/refused.sock");`, {
      sockets: { http: hold() },
      map: "http=3000",
    }).ended;
    assert.equal(code, 1);
    assert.match(stderr, /Error: listen EACCES: permission denied \/proc\/refused\.sock\. This address is not adopted/);
  });

  it("throw as ever where their arguments are wrong", async () => {
    const { stdout } = await startAdopted(
      `for (const args of [[70000], [{}], [""], ["3000", "localhost", 1, 2].slice(0, 0).concat({ port: "x" })])
         try { net.createServer().listen(...args); } catch (error) { console.log(error.code) }
       process.exit();`,
      { sockets: { http: hold() }, map: "http=3000" },
    ).ended;
    assert.equal(stdout, "ERR_SOCKET_BAD_PORT\nERR_INVALID_ARG_VALUE\nERR_SOCKET_BAD_PORT\nERR_SOCKET_BAD_PORT\n");
  });
});

describe("copies of the program", () => {
  /** Serves "main" in the one, and "copy" in the other. */
  const program = (isMain: string, copy: string, port: number, file: string): string => {
    writeFileSync(
      join(folder, file),
      `const { createServer } = require("node:http");
       const serve = (text) => createServer((request, response) => response.end(text)).listen(${port}, () => console.log(text + " is up"));
       if (!${isMain}) serve("copy");
       else ${copy};`,
    );
    return join(folder, file);
  };
  const sparePort = (): number => {
    const socket = holdSocket();
    socket.close();
    return socket.port;
  };

  it("in worker threads listen on their own", async () => {
    const [port, socket] = [sparePort(), hold()];
    const { isMain, copy } = {
      isMain: `require("node:worker_threads").isMainThread`,
      copy: `serve("main").on("listening", () => new (require("node:worker_threads").Worker)(__filename))`,
    };
    const file = program(isMain, copy, port, "threads.cjs");
    const running = startAdoptedNode([file], { sockets: { http: socket }, map: `http=${port}` });
    await running.printed("copy is up");
    assert.deepEqual([await ask(socket), await ask(port)], ["main", "copy"]);
    assert.equal((await stop(running)).code, 0);
  });

  it("in cluster workers listen on their own, and a warning says what to do instead", async () => {
    const port = sparePort();
    const file = program(
      `require("node:cluster").isPrimary`,
      `{ const worker = require("node:cluster").fork(); process.on("SIGTERM", () => { worker.kill("SIGKILL"); process.exit(); }); }`,
      port,
      "cluster.cjs",
    );
    const running = startAdoptedNode([file], { sockets: { http: hold() }, map: `http=${port}` });
    await running.printed("copy is up");
    assert.equal(await ask(port), "copy");
    const { stderr } = await stop(running);
    assert.match(
      stderr,
      /^cluster\.cjs: warning: "http" is not adopted: node:cluster binds its ports itself\.[^\n]*\n$/,
    );
  });
});

describe("where no socket was passed", () => {
  const UNTOUCHED = `console.log(process.listenerCount("SIGTERM"), process.listenerCount("SIGHUP"));
    for (const call of [net.Server.prototype.listen, net.Server.prototype.address, dgram.Socket.prototype.bind])
      console.log(/adoption\\./.test(call));`;

  it("nothing is changed", async () => {
    const { stdout, stderr } = await startAdopted(UNTOUCHED, { map: "http=3000" }).ended;
    assert.deepEqual([stdout, stderr], ["0 0\nfalse\nfalse\nfalse\n", ""]);
  });

  it("nothing is changed where they are another process's, but a warning", async () => {
    for (const map of [undefined, "http=3000"]) {
      const env = { LISTEN_FDS: "1", LISTEN_PID: "1" };
      const { stdout, stderr } = await startAdopted(UNTOUCHED, { env, ...(map && { map }) }).ended;
      assert.equal(stdout, "0 0\nfalse\nfalse\nfalse\n");
      assert.match(stderr, /^\S+: warning: LISTEN_FDS is not for this process[^\n]+\n$/);
    }
  });
});
