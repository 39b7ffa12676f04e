/** A program may close its server itself, as one that handles SIGTERM does: what Node promises of close holds for every descriptor. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { startProgram } from "./program.ts";

const held: HeldSocket[] = [];
const hold = (): HeldSocket => {
  const socket = holdSocket();
  held.push(socket);
  return socket;
};
after(() => {
  for (const socket of held) socket.close();
});

describe("server.close() over two descriptors", () => {
  it("waits for the requests of both, tells once, and leaves newcomers to the next process", async () => {
    const sockets = [hold(), hold()];
    const program = startProgram(
      `const server = http.createServer((request, response) => { console.log("asked"); process.once("SIGUSR2", () => response.end("late")); });
       await activate().listen(server, "http");
       process.on("SIGTERM", () => {
         server.getConnections((error, count) => console.log("open " + count));
         server.close((error) => console.log("closed", error));
         console.log("closing");
       });
       server.on("close", () => console.log("event"));
       console.log("listening");`,
      { sockets: { http: sockets } },
    );
    await program.printed("listening");
    const agent = new Agent({ keepAlive: true });
    const answers = sockets.map(({ port }) => once(get({ port, agent }), "response"));
    await program.printed("asked\nasked");
    program.child.kill();
    await program.printed("closing");
    const newcomers = sockets.map(({ port }) => connect(port, "127.0.0.1").on("error", () => {}));
    for (const newcomer of newcomers) newcomer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await Promise.all(newcomers.map((newcomer) => once(newcomer, "connect")));
    program.child.kill("SIGUSR2");
    for (const [response] of await Promise.all(answers)) assert.equal(await text(response), "late");
    agent.destroy();
    const { code, stdout, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout, "listening\nasked\nasked\nclosing\nopen 2\nevent\nclosed undefined\n");
    for (const newcomer of newcomers) newcomer.destroy();
  });

  it("counts what both have open for maxConnections", async () => {
    const sockets = [hold(), hold()];
    const program = startProgram(
      `const server = net.createServer((socket) => socket.write("in"));
       server.maxConnections = 1;
       server.on("drop", ({ localPort }) => console.log("dropped " + localPort));
       await activate().listen(server, "http");
       console.log("listening");`,
      { sockets: { http: sockets } },
    );
    await program.printed("listening");
    const first = connect(sockets[0]!.port, "127.0.0.1");
    assert.equal(String((await once(first, "data"))[0]), "in");
    assert.equal(await text(connect(sockets[1]!.port, "127.0.0.1")), "");
    await program.printed(`dropped ${sockets[1]!.port}`);
    first.destroy();
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("is told once with one descriptor, too", async () => {
    const program = startProgram(
      `const server = http.createServer().on("close", () => console.log("close"));
       await activate().listen(server, "http");
       server.close();`,
      { sockets: { http: hold() } },
    );
    assert.equal((await program.ended).stdout, "close\n");
  });
});
