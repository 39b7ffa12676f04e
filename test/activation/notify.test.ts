import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type HeldSocket, holdSocket, receiveDatagram } from "../helpers/passed-socket.ts";
import { flags, node, runProgram, runtime, start, startProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-notify-"));
const manager = holdSocket({ path: join(folder, "notify.sock"), type: "datagram" });
const NOTIFY_SOCKET = join(folder, "notify.sock");
after(() => {
  manager.close();
  rmSync(folder, { recursive: true });
});

/** All that has come, in order. */
function received(socket: HeldSocket = manager): string[] {
  const messages: string[] = [];
  for (let message = receiveDatagram(socket); message !== undefined; message = receiveDatagram(socket)) {
    messages.push(message);
  }
  return messages;
}

const TWO = `const activation = activate({ fallback: { http: "127.0.0.1:0", admin: "127.0.0.1:0" } });
  const tick = () => new Promise((resolve) => setTimeout(resolve, 20));
  await activation.listen(http.createServer(), "http");`;

describe("sd_notify", () => {
  it("says READY=1 by itself, once, when the last socket is listened on, and STOPPING=1 when draining starts", async () => {
    const program = startProgram(
      `${TWO} await tick(); process.stdin.destroy(); process.on("SIGUSR2", async () => {
         await activation.listen(http.createServer(), "admin"); await tick(); await activation.ready(); console.log("both"); });
       console.log("one");`,
      { env: { NOTIFY_SOCKET } },
    );
    await program.printed("one");
    assert.deepEqual(received(), []);
    program.child.kill("SIGUSR2");
    await program.printed("both");
    assert.deepEqual(received(), ["READY=1"]);
    program.child.kill();
    await program.ended;
    assert.deepEqual(received(), ["STOPPING=1"]);
  });

  it("says READY=1 with a status when the program says so first, and never again", async () => {
    await runProgram(
      `${TWO} activation.ready("warm\\nREADY=0"); await activation.listen(http.createServer(), "admin"); await tick();
       activation.status("busy"); await activation.ready("still"); await activation.drain(); await activation.drain();`,
      { env: { NOTIFY_SOCKET } },
    );
    assert.deepEqual(received(), ["READY=1\nSTATUS=warm READY=0", "STATUS=busy", "STATUS=still", "STOPPING=1"]);
  });

  it("says READY=1 also where the program binds, and leaves a name of its fallback alone", async () => {
    const program = startProgram(TWO, { env: { NOTIFY_SOCKET } });
    let messages: string[] = [];
    while (messages.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      messages = received();
    }
    assert.deepEqual(messages, ["READY=1"]);
    program.child.kill();
    assert.equal((await program.ended).stderr, "");
    received();
  });

  it("says READY=1 without a passed socket that the program leaves alone, and names that one", async () => {
    const [http, spare] = [holdSocket(), holdSocket()];
    const program = startProgram(
      `const activation = activate({ fallback: { http: 0 } });
       await activation.listen(http.createServer(), "http"); console.log("listening");`,
      { env: { NOTIFY_SOCKET }, sockets: { http, spare } },
    );
    await program.printed("listening");
    assert.deepEqual(received(), []);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    assert.deepEqual(received(), ["READY=1"]);
    program.child.kill();
    const { stderr } = await program.ended;
    assert.match(
      stderr,
      new RegExp(`warning: nothing listens on "spare" descriptor 4 127\\.0\\.0\\.1:${spare.port}\n`),
    );
    assert.deepEqual(received(), ["STOPPING=1"]);
    for (const socket of [http, spare]) socket.close();
  });

  it("reaches a socket in the abstract namespace", async () => {
    const name = `@rouse-notify-${process.pid}`;
    const abstract = holdSocket({ path: name, type: "datagram" });
    await runProgram("await activate({ signals: [] }).ready();", { env: { NOTIFY_SOCKET: name } });
    assert.deepEqual(received(abstract), ["READY=1"]);
    abstract.close();
  });

  it("warns when the manager cannot be told, and goes on", async () => {
    const { code, stderr } = await runProgram("await activate().ready(); process.exit(3)", {
      env: { NOTIFY_SOCKET: join(folder, "absent.sock") },
    });
    assert.equal(code, 3);
    assert.match(stderr, /^node: warning: could not send "READY=1" to NOTIFY_SOCKET=.*absent\.sock\n$/);
  });

  it("does without where this Node has no node:ffi, and says so only when asked", async () => {
    const source = `import { activate } from ${JSON.stringify(runtime)}; await activate({ signals: [] }).ready();`;
    const args = ["--no-experimental-ffi", ...flags, "--input-type=module", "--eval", source];
    assert.deepEqual(await start(node, args, { env: { NOTIFY_SOCKET } }).ended, {
      code: 0,
      signal: null,
      stdout: "",
      stderr: "",
    });
    const { stderr } = await start(node, args, { env: { NOTIFY_SOCKET, ROUSE_DEBUG: "activation" } }).ended;
    assert.match(stderr, /node: activation: cannot send "READY=1" to NOTIFY_SOCKET=.*\n/);
    assert.deepEqual(received(), []);
  });

  it("answers a reload also where the program hears SIGHUP itself: under Type=notify-reload systemd would wait for it", async () => {
    const program = startProgram(
      `${TWO} activation.ready(); activation.onReload(() => console.log("never"));
       process.on("SIGHUP", () => setTimeout(() => console.log("mine"), 20)); console.log("up");`,
      { env: { NOTIFY_SOCKET } },
    );
    await program.printed("up");
    assert.deepEqual(received(), ["READY=1"]);
    program.child.kill("SIGHUP");
    await program.printed("mine");
    const [reloading = "", ...rest] = received();
    assert.match(reloading, /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    assert.deepEqual(rest, ["READY=1"]);
    program.child.kill();
    assert.doesNotMatch((await program.ended).stdout, /never/);
    received();
  });
});
