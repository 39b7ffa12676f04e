import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Agent, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { holdSocket } from "../helpers/passed-socket.ts";
import { runProgram, startProgram } from "./program.ts";

const server = (options: string): string => `
  const activation = activate({ fallback: { http: 0 }, ${options} });
  await activation.listen(http.createServer((request, response) => response.end(String(process.pid))), "http");
  console.log("listening");`;

async function request(port: number, agent: Agent | false = false): Promise<string> {
  const [response] = (await once(get({ port, agent }), "response")) as [IncomingMessage];
  return await text(response);
}

describe("idle exit", () => {
  it("ends with 0 when nobody has come for so long, and not while somebody is connected", async () => {
    const passed = holdSocket();
    const program = startProgram(server("idleExit: '1s'"), { sockets: { http: passed } });
    await program.printed("listening");
    const client = connect(passed.port, "127.0.0.1");
    await once(client, "connect");
    const quiet = await Promise.race([program.ended, sleep(1500, "still there")]);
    assert.equal(quiet, "still there");
    const left = performance.now();
    client.destroy();
    assert.equal((await program.ended).code, 0);
    assert.ok(performance.now() - left >= 1000);
    passed.close();
  });

  it("loses nobody who comes around that moment, whoever starts it again", { timeout: 120_000 }, async () => {
    const passed = holdSocket();
    const source = server("idleExit: 1000");
    let starts = 0;
    let done = false;
    // What systemd does: the next start comes when somebody waits in the socket. Started at once, it may only come earlier.
    const manager = (async () => {
      while (!done) {
        starts++;
        const program = startProgram(source, { sockets: { http: passed } });
        const stop = setInterval(() => done && program.child.kill("SIGKILL"), 20);
        const { code } = await program.ended;
        clearInterval(stop);
        if (!done) assert.equal(code, 0);
      }
    })();
    const pids = new Set<string>();
    for (let turn = 0; turn < 6; turn++) {
      pids.add(await request(passed.port));
      // Three clients in the last milliseconds, one on each side.
      await sleep(990 + (turn % 6) * 4);
      for (const pid of await Promise.all([0, 4, 8].map((late) => sleep(late).then(() => request(passed.port))))) {
        pids.add(pid);
      }
    }
    done = true;
    await manager;
    assert.ok(starts >= 2 && pids.size >= 2, `${starts} starts, ${pids.size} processes answered`);
    passed.close();
  });

  it("is for datagrams too", async () => {
    const passed = holdSocket({ type: "datagram" });
    const program = startProgram(
      `const activation = activate({ fallback: { stats: 0 }, idleExit: "1s" });
       const socket = dgram.createSocket("udp4"); socket.on("message", () => console.log("got"));
       await activation.listen(socket, "stats"); console.log("listening")`,
      { sockets: { stats: passed } },
    );
    await program.printed("listening");
    await sleep(700);
    const client = createSocket("udp4");
    client.send("x", passed.port, "127.0.0.1", () => client.close());
    await program.printed("got");
    assert.equal(await Promise.race([program.ended, sleep(700, "still there")]), "still there");
    assert.equal((await program.ended).code, 0);
    passed.close();
  });

  it("never closes a port of its own, nor leaves what the program serves by itself", async () => {
    const bound = startProgram(server("idleExit: 1000"));
    await bound.printed("listening");
    const passed = holdSocket();
    const lent = startProgram(
      `const activation = activate({ fallback: { http: 0, own: 0 }, idleExit: 1000 });
       http.createServer().listen(...activation.socket("own").listenArguments());
       await activation.listen(http.createServer(), "http"); console.log("listening")`,
      { sockets: { http: passed, own: holdSocket() } },
    );
    await lent.printed("listening");
    const first = await Promise.race([bound.ended, lent.ended, sleep(2500, "both there")]);
    assert.equal(first, "both there");
    for (const { child } of [bound, lent]) child.kill("SIGKILL");
    passed.close();
  });

  it("waits for the connections of every activation of the program", async () => {
    const [http, chat] = [holdSocket(), holdSocket()];
    const program = startProgram(
      `const fallback = { http: 0, chat: 0 };
       await activate({ fallback, idleExit: 1000 }).listen(http.createServer(), "http");
       const activation = activate({ fallback });
       await activation.listen(net.createServer((socket) => socket.resume()), "chat");
       activation.signal.addEventListener("abort", () => console.log("leaving"));
       console.log("listening");`,
      { sockets: { http, chat } },
    );
    await program.printed("listening");
    const client = connect(chat.port, "127.0.0.1");
    await once(client, "connect");
    assert.equal(await Promise.race([program.printed("leaving"), sleep(2500, "still there")]), "still there");
    client.destroy();
    assert.equal((await program.ended).code, 0);
    for (const socket of [http, chat]) socket.close();
  });

  it("lets a program clean up that listens for SIGTERM", async () => {
    const passed = holdSocket();
    const { code, stdout } = await runProgram(
      `${server("idleExit: 1000")} process.on("SIGTERM", async () => { await activation.drain(); console.log("cleaned up"); process.exit(); });`,
      { sockets: { http: passed } },
    );
    assert.equal(code, 0);
    assert.match(stdout, /cleaned up\n$/);
    passed.close();
  });

  it("refuses what is no duration, also where it would not leave: what development lets pass must not fail in service", async () => {
    const passed = holdSocket();
    for (const sockets of [{ http: passed }, undefined]) {
      const { code, stdout, stderr } = await runProgram(server("idleExit: 'soon'"), sockets && { sockets });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /idleExit "soon" is no duration\. Write milliseconds, "30s" or "10m"/);
    }
    passed.close();
  });
});
