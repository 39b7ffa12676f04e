import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type OutgoingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { type ConnectionPlace, serveEachConnection } from "../helpers/per-connection.ts";
import { flags, moduleText, node, type Program, startProgram, watch } from "./program.ts";

/** Each as the framework's own documentation writes it, up to the server that it gives. */
const frameworks: Readonly<Record<string, string>> = {
  "node:http": `
    const server = http.createServer(async (request, response) => {
      if (request.url === "/") response.end("Hello World");
      else if (request.url === "/slow") setTimeout(() => response.end("late"), 300);
      else if (request.url === "/ip") response.end(String(request.socket.remoteAddress));
      else if (request.url === "/echo") request.pipe(response.setHeader("Content-Type", "application/json"));
      else if (request.url === "/stream") {
        for (const part of ["one ", "two ", "three"]) { response.write(part); await new Promise((resolve) => setTimeout(resolve, 10)); }
        response.end();
      } else response.writeHead(404).end();
    });`,

  Fastify: `
    import Fastify from "fastify";
    import { Readable } from "node:stream";
    const fastify = Fastify();
    fastify.get("/", async function handler(request, reply) { return "Hello World"; });
    fastify.get("/slow", async () => { await new Promise((resolve) => setTimeout(resolve, 300)); return "late"; });
    fastify.get("/ip", async (request) => String(request.ip));
    fastify.post("/echo", async (request) => request.body);
    fastify.get("/stream", (request, reply) => reply.send(Readable.from(["one ", "two ", "three"])));
    await fastify.ready();
    const server = fastify.server;`,

  Express: `
    import express from "express";
    const app = express();
    app.use(express.json());
    app.get("/", (req, res) => { res.send("Hello World"); });
    app.get("/slow", async (req, res) => { await new Promise((resolve) => setTimeout(resolve, 300)); res.send("late"); });
    app.get("/ip", (req, res) => { res.send(String(req.ip)); });
    app.post("/echo", (req, res) => { res.json(req.body); });
    app.get("/stream", (req, res) => { for (const part of ["one ", "two ", "three"]) res.write(part); res.end(); });
    const server = http.createServer(app);`,

  Koa: `
    import Koa from "koa";
    import { json } from "node:stream/consumers";
    import { Readable } from "node:stream";
    const app = new Koa();
    app.use(async (ctx) => {
      if (ctx.path === "/") ctx.body = "Hello World";
      else if (ctx.path === "/slow") { await new Promise((resolve) => setTimeout(resolve, 300)); ctx.body = "late"; }
      else if (ctx.path === "/ip") ctx.body = String(ctx.ip);
      else if (ctx.path === "/echo") ctx.body = await json(ctx.req);
      else if (ctx.path === "/stream") ctx.body = Readable.from(["one ", "two ", "three"]);
    });
    const server = http.createServer(app.callback());`,

  Hono: `
    import { Hono } from "hono";
    import { streamText } from "hono/streaming";
    import { createAdaptorServer } from "@hono/node-server";
    import { getConnInfo } from "@hono/node-server/conninfo";
    const app = new Hono();
    app.get("/", (c) => c.text("Hello World"));
    app.get("/slow", async (c) => { await new Promise((resolve) => setTimeout(resolve, 300)); return c.text("late"); });
    app.get("/ip", (c) => c.text(String(getConnInfo(c).remote.address)));
    app.post("/echo", async (c) => c.json(await c.req.json()));
    app.get("/stream", (c) => streamText(c, async (stream) => { for (const part of ["one ", "two ", "three"]) await stream.write(part); }));
    const server = createAdaptorServer(app);`,
};

const LISTEN = `const activation = activate({ fallback: { http: 3000 } });
  await activation.listen(server, "http");`;

const folder = mkdtempSync(join(tmpdir(), "rouse-frameworks-"));
const held: HeldSocket[] = [];
const programs: Program[] = [];

after(() => {
  for (const socket of held) socket.close();
  for (const { child } of programs) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

/** Where a client finds the server, and what this one then takes the client for. */
interface Place {
  readonly target: { readonly host?: string; readonly port?: number; readonly socketPath?: string };
  readonly ip: RegExp;
}

let paths = 0;

const open = {
  ipv4: (): [HeldSocket, Place] => {
    const socket = holdSocket();
    return [socket, { target: { host: "127.0.0.1", port: socket.port }, ip: /^(::ffff:)?127\.0\.0\.1$/ }];
  },
  any: (): [HeldSocket, Place] => {
    const socket = holdSocket({ host: "0.0.0.0" });
    return [socket, { target: { host: "127.0.0.1", port: socket.port }, ip: /^127/ }];
  },
  ipv6: (): [HeldSocket, Place] => {
    const socket = holdSocket({ host: "::1" });
    return [socket, { target: { host: "::1", port: socket.port }, ip: /^::1$/ }];
  },
  unix: (): [HeldSocket, Place] => {
    const path = join(folder, `${++paths}.sock`);
    return [holdSocket({ path }), { target: { socketPath: path }, ip: /^(undefined)?$/ }];
  },
};

const transports: Readonly<Record<string, readonly (keyof typeof open)[]>> = {
  "TCP over IPv4": ["ipv4"],
  "TCP over IPv6": ["ipv6"],
  "a unix socket": ["unix"],
  "all of them under one name": ["unix", "ipv4", "ipv6"],
};

for (const [framework, server] of Object.entries(frameworks)) {
  describe(framework, () => {
    for (const [transport, kinds] of Object.entries(transports)) {
      it(`serves ${transport}, and answers what is in flight at SIGTERM`, async () => {
        const opened = kinds.map((kind) => open[kind]());
        const sockets = opened.map(([socket]) => socket);
        held.push(...sockets);
        const program = startProgram(`${server} ${LISTEN}`, { sockets: { http: sockets } });
        programs.push(program);
        const agent = new Agent({ keepAlive: true });
        for (const [, place] of opened) await exercise(place, agent);
        const late = opened.map(([, { target }]) => ask(target, agent, "/slow"));
        await new Promise((resolve) => setTimeout(resolve, 100));
        program.child.kill("SIGTERM");
        for (const answer of late) assert.equal((await answer).body, "late");
        const { code, stderr } = await program.ended;
        assert.deepEqual([code, stderr], [0, ""]);
      });
    }

    for (const [place, isUnix] of [
      ["standard input", false],
      ["LISTEN_FDS", true],
    ] satisfies [ConnectionPlace, boolean][]) {
      it(`serves one connection, ${isUnix ? "unix by" : "TCP on"} ${place}, and then exits`, async () => {
        const option = place === "standard input" ? `, accept: "connection"` : "";
        const listen = LISTEN.replace(" });", `${option} });`);
        const source = moduleText(`${server} ${listen} console.log(activation.source); console.log("listening");`);
        const started: Program[] = [];
        const path = isUnix ? join(folder, `${++paths}.sock`) : undefined;
        await using inetd = await serveEachConnection(
          [node, ...flags, "--input-type=module", "--eval", source],
          place,
          (child) => {
            started.push(watch(child));
            programs.push(started.at(-1)!);
          },
          path,
        );
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const target = path === undefined ? { host: "127.0.0.1", port: inetd.port } : { socketPath: path };
        await exercise({ target, ip: path ? /^(undefined)?$/ : /^(::ffff:)?127\.0\.0\.1$/ }, agent);
        agent.destroy();
        const late = ask(target, false, "/slow");
        await until(() => started.length === 2);
        await started[1]!.printed("listening");
        started[1]!.child.kill("SIGTERM");
        assert.equal((await late).body, "late");
        for (const { ended } of started) {
          const { code, stdout, stderr } = await ended;
          const found = place === "LISTEN_FDS" ? "systemd" : "inetd";
          assert.deepEqual([code, stdout, stderr], [0, `${found}\nlistening\n`, ""]);
        }
      });
    }
  });
}

describe("the life of a Fastify application", () => {
  it("does not ask for the network's interfaces, which a sandbox may forbid", async () => {
    const [socket, { target }] = open.any();
    held.push(socket);
    const forbid = `import os from "node:os"; os.networkInterfaces = () => { throw new Error("EAFNOSUPPORT"); };`;
    const program = startProgram(`${forbid} ${frameworks.Fastify} ${LISTEN}`, { sockets: { http: socket } });
    programs.push(program);
    assert.equal((await ask(target, false, "/")).body, "Hello World");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("runs its onClose hooks after the last answer where it is closed after the drain", async () => {
    const { program, places } = startFastify(
      `fastify.addHook("onClose", async () => console.log("closed"));`,
      `process.on("SIGTERM", async () => { await activation.drain(); await fastify.close(); process.exit(); });`,
    );
    await program.printed("listening");
    const late = places.map(({ target }) => ask(target, false, "/slow"));
    await program.printed("asked\nasked\nasked");
    program.child.kill("SIGTERM");
    for (const answer of late) assert.equal((await answer).body, "late");
    const { code, stdout } = await program.ended;
    assert.deepEqual([code, stdout.split("\n").at(-2)], [0, "closed"]);
  });

  it("takes every listener with it where the program closes it by itself", async () => {
    const { program, places } = startFastify("", `process.on("SIGUSR2", () => fastify.close());`);
    await program.printed("listening");
    const late = places.map(({ target }) => ask(target, false, "/slow"));
    await program.printed("asked\nasked\nasked");
    program.child.kill("SIGUSR2");
    for (const answer of late) assert.equal((await answer).body, "late");
    assert.equal((await program.ended).code, 0);
  });

  function startFastify(before: string, after: string): { program: Program; places: Place[] } {
    const opened = transports["all of them under one name"]!.map((kind) => open[kind]());
    const sockets = opened.map(([socket]) => socket);
    held.push(...sockets);
    const log = `fastify.addHook("onRequest", async () => console.log("asked"));`;
    const source = frameworks.Fastify!.replace("await fastify.ready();", `${log} ${before} await fastify.ready();`);
    const program = startProgram(`${source} ${LISTEN} ${after} console.log("listening");`, {
      sockets: { http: sockets },
    });
    programs.push(program);
    return { program, places: opened.map(([, place]) => place) };
  }
});

// --- internal ---

/** What a client of a web service does; `ip` is how the program sees the client. */
async function exercise({ target, ip }: Place, agent: Agent): Promise<void> {
  assert.deepEqual(await ask(target, agent, "/"), { status: 200, body: "Hello World" });
  const json = JSON.stringify({ text: "x".repeat(100_000) });
  const echo = await ask(target, agent, "/echo", json, { "Content-Type": "application/json" });
  assert.deepEqual(echo, { status: 200, body: json });
  assert.equal((await ask(target, agent, "/stream")).body, "one two three");
  assert.equal((await ask(target, agent, "/missing")).status, 404);
  const { status, body } = await ask(target, agent, "/ip");
  assert.match(status === 200 ? body : "", ip);
}

async function ask(
  target: Place["target"],
  agent: Agent | false,
  path: string,
  body?: string,
  headers: OutgoingHttpHeaders = {},
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const sent = request({ ...target, agent, path, method: body === undefined ? "GET" : "POST", headers });
  const [response] = await once(sent.end(body), "response");
  return { status: response.statusCode, body: await text(response) };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}
