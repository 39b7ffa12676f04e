import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import WebSocket from "ws";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { serveEachConnection } from "../helpers/per-connection.ts";
import { flags, moduleText, node, type Program, startProgram, watch } from "./program.ts";

const pem = new URL("./localhost.pem", import.meta.url);
const ca = readFileSync(pem);
const folder = mkdtempSync(join(tmpdir(), "rouse-websocket-"));
const held: HeldSocket[] = [];
const programs: Program[] = [];
let paths = 0;

after(() => {
  for (const socket of held) socket.close();
  for (const { child } of programs) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const IMPORTS = `import https from "node:https"; import express from "express"; import Fastify from "fastify"; import { WebSocketServer } from "ws";
  const echo = (socket) => socket.on("message", (data) => socket.send(String(data)));`;

/** As docs/runtime.md writes it. */
const LEAVE = `activation.signal.addEventListener("abort", () => {
    sockets.close();
    for (const socket of sockets.clients) socket.close(1001);
  });`;

/** Serves on IPv4, IPv6 and a unix socket; `urls` is where each is. The program has \`server\` and \`sockets\`, a WebSocketServer. */
async function serve(source: string, scheme: "ws" | "wss" = "ws"): Promise<{ program: Program; urls: string[] }> {
  const path = join(folder, `${++paths}.sock`);
  const passed = [holdSocket(), holdSocket({ host: "::1" }), holdSocket({ path })];
  held.push(...passed);
  const program = startProgram(
    `${IMPORTS} const activation = activate({ fallback: { http: 8080 } }); ${source}
     await activation.listen(server, "http");
     console.log("listening");`,
    { sockets: { http: passed } },
  );
  programs.push(program);
  await program.printed("listening");
  const [ipv4, ipv6] = passed;
  const urls = [`${scheme}://127.0.0.1:${ipv4!.port}/`, `${scheme}://[::1]:${ipv6!.port}/`];
  // The client has no scheme for TLS over a unix socket.
  if (scheme === "ws") urls.push(`ws+unix:${path}:/`);
  return { program, urls };
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { ca, servername: "localhost" } as WebSocket.ClientOptions);
  await once(socket, "open");
  return socket;
}

async function echo(socket: WebSocket, text: string): Promise<string> {
  socket.send(text);
  const [data] = await once(socket, "message");
  return String(data);
}

describe("WebSockets", () => {
  const servers: Readonly<Record<string, string>> = {
    "on an http server": `const server = http.createServer(); const sockets = new WebSocketServer({ server }); sockets.on("connection", echo);`,
    "beside Express": `const server = http.createServer(express()); const sockets = new WebSocketServer({ server, path: "/" }); sockets.on("connection", echo);`,
    "beside Fastify": `const fastify = Fastify(); await fastify.ready(); const server = fastify.server;
      const sockets = new WebSocketServer({ server }); sockets.on("connection", echo);`,
    "by the program's own upgrade": `const server = http.createServer(); const sockets = new WebSocketServer({ noServer: true });
      server.on("upgrade", (request, socket, head) => sockets.handleUpgrade(request, socket, head, echo));`,
    "over TLS": `const server = https.createServer(); const sockets = new WebSocketServer({ server }); sockets.on("connection", echo);
      secure(activation, server, { key: ${JSON.stringify(pem.pathname)}, cert: ${JSON.stringify(pem.pathname)} });`,
  };
  for (const [title, source] of Object.entries(servers)) {
    it(`${title} work over every socket of the name, and end when the program ends them`, async () => {
      const { program, urls } = await serve(`${source} ${LEAVE}`, title === "over TLS" ? "wss" : "ws");
      const clients = await Promise.all(urls.map(connect));
      for (const client of clients) assert.equal(await echo(client, "x".repeat(100_000)), "x".repeat(100_000));
      const ends = clients.map((client) => once(client, "close"));
      program.child.kill("SIGTERM");
      for (const end of ends) assert.equal((await end)[0], 1001);
      const { code, stderr } = await program.ended;
      assert.deepEqual([code, stderr], [0, ""]);
    });
  }

  it("may finish what they are at while the process drains", async () => {
    const { program, urls } = await serve(
      `const server = http.createServer(); const sockets = new WebSocketServer({ server });
       sockets.on("connection", (socket) => {
         socket.on("message", (data) => { socket.send(String(data)); if (String(data) === "last") socket.close(1000); });
         activation.signal.addEventListener("abort", () => socket.send("finish"));
       });`,
    );
    const client = await connect(urls[0]!);
    const told = once(client, "message");
    program.child.kill("SIGTERM");
    assert.equal(String((await told)[0]), "finish");
    assert.equal(await echo(client, "one more"), "one more");
    const closed = once(client, "close");
    assert.equal(await echo(client, "last"), "last");
    assert.equal((await closed)[0], 1000);
    assert.equal((await program.ended).code, 0);
  });

  it("are cut at the deadline where the program does not end them", async () => {
    const { program, urls } = await serve(
      `const server = http.createServer(); const sockets = new WebSocketServer({ server }); sockets.on("connection", echo);
       process.on("SIGTERM", async () => { await activation.drain({ deadline: 300 }); console.log("drained"); process.exit(); });`,
    );
    const client = await connect(urls[2]!);
    assert.equal(await echo(client, "x"), "x");
    const closed = once(client, "close");
    program.child.kill("SIGTERM");
    await program.printed("drained");
    assert.equal((await closed)[0], 1006);
    assert.equal((await program.ended).code, 0);
  });

  it("that still waited to be accepted get an answer, and hold up nothing", { timeout: 30_000 }, async () => {
    const { program, urls } = await serve(
      `const server = http.createServer((request, response) => {
         response.writeHead(426).end();
         if (request.url !== "/block") return;
         fs.writeSync(1, "blocked");
         const end = performance.now() + 400;
         while (performance.now() < end);
         activation.drain({ deadline: 60_000 }).then(() => process.exit());
       });
       const sockets = new WebSocketServer({ server }); sockets.on("connection", echo); ${LEAVE}`,
    );
    const blocked = fetch(`${urls[0]!.replace("ws:", "http:")}block`);
    await program.printed("blocked");
    const client = new WebSocket(urls[0]!);
    const [error] = await once(client, "error");
    assert.match(error.message, /Unexpected server response: 426/);
    await (await blocked).text();
    assert.equal((await program.ended).code, 0);
  });

  for (const place of ["standard input", "LISTEN_FDS"] as const) {
    it(`have a process for each connection, from ${place}`, async () => {
      const source = `${IMPORTS} const server = http.createServer(); const sockets = new WebSocketServer({ server });
        sockets.on("connection", echo);
        const activation = activate({ fallback: { http: 8080 }, accept: "connection" });
        await activation.listen(server, "http");`;
      const command = [node, ...flags, "--input-type=module", "--eval", moduleText(source)] as const;
      const started: Program[] = [];
      await using inetd = await serveEachConnection(command, place, (child) => started.push(watch(child)));
      const clients = await Promise.all([0, 1].map(() => connect(`ws://127.0.0.1:${inetd.port}/`)));
      programs.push(...started);
      for (const client of clients) {
        assert.equal(await echo(client, "mine"), "mine");
        client.close(1000);
      }
      for (const { ended } of started) {
        const { code, stderr } = await ended;
        assert.deepEqual([code, stderr], [0, ""]);
      }
    });
  }
});
