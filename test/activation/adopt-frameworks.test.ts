/** Servers as the documentation of each framework writes them, without a word about activation. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { get as getSecure } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { ask, hold, startAdopted, stop } from "./adopted.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-frameworks-"));
after(() => rmSync(folder, { recursive: true }));

/** A route at / that answers at once, and one at /slow that answers 400 ms after it has printed "asked". */
const SLOW = `let asked = 0; const slow = () => { console.log("asked " + ++asked); return new Promise((resolve) => setTimeout(resolve, 400, "late")); };`;

const frameworks: Record<string, { source: string; up?: string; env?: NodeJS.ProcessEnv }> = {
  "Express 5": {
    source: `import express from "express";
      const app = express();
      const port = 3000;
      app.get("/", (req, res) => { res.send("Hello World!"); });
      app.get("/slow", async (req, res) => { res.send(await slow()); });
      app.listen(port, () => { console.log(\`Example app listening on port \${port}\`); });`,
    up: "Example app listening",
  },
  "Fastify 5": {
    source: `import Fastify from "fastify";
      const fastify = Fastify({ logger: true });
      fastify.get("/", async function handler(request, reply) { return "Hello World!"; });
      fastify.get("/slow", () => slow());
      try { await fastify.listen({ port: 3000 }); } catch (err) { fastify.log.error(err); process.exit(1); }
      console.log("listening");`,
  },
  "Fastify 5 for every host": {
    source: `import Fastify from "fastify";
      const fastify = Fastify();
      fastify.get("/", (request, reply) => { reply.send("Hello World!"); });
      fastify.get("/slow", () => slow());
      fastify.listen({ port: 3000, host: "0.0.0.0" }, (err, address) => { if (err) throw err; console.log(\`listening at \${address}\`); });`,
  },
  "Koa 3": {
    source: `import Koa from "koa";
      const app = new Koa();
      app.use(async (ctx) => { ctx.body = ctx.path === "/slow" ? await slow() : "Hello World!"; });
      const server = app.listen(3000);
      server.on("listening", () => console.log("listening"));`,
  },
  Hono: {
    source: `import { serve } from "@hono/node-server";
      import { Hono } from "hono";
      const app = new Hono();
      app.get("/", (c) => c.text("Hello World!"));
      app.get("/slow", async (c) => c.text(await slow()));
      serve(app, (info) => { console.log(\`listening on http://localhost:\${info.port}\`); });`,
  },
  "node:http": {
    source: `const hostname = "127.0.0.1";
      const port = 3000;
      const server = http.createServer(async (req, res) => { res.end(req.url === "/slow" ? await slow() : "Hello World!"); });
      server.listen(port, hostname, () => { console.log(\`listening at http://\${hostname}:\${port}/\`); });`,
  },
  "a standalone server that reads PORT and HOSTNAME": {
    source: `const port = parseInt(process.env.PORT, 10) || 80;
      const hostname = process.env.HOSTNAME || "0.0.0.0";
      const server = http.createServer(async (req, res) => { res.end(req.url === "/slow" ? await slow() : "Hello World!"); });
      server.on("error", (err) => { console.error(err); process.exit(1); });
      server.on("listening", () => {
        const addr = server.address();
        console.log("listening", typeof addr === "object" ? addr?.port : addr);
      });
      server.listen(port, hostname);`,
    env: { PORT: "3000", HOSTNAME: "localhost" },
  },
  "a server that gives PORT on as it is": {
    source: `http.createServer(async (req, res) => { res.end(req.url === "/slow" ? await slow() : "Hello World!"); })
        .listen(process.env.PORT || "80", () => console.log("listening"));`,
    env: { PORT: "3000" },
  },
};

for (const [title, { source, up = "listening", env }] of Object.entries(frameworks)) {
  describe(title, () => {
    const program = `${SLOW} ${source}`;
    const options = { map: "http=3000", ...(env && { env }) };

    it("serves several descriptors, and answers requests that are in flight when SIGTERM comes", async () => {
      const sockets = [hold(), hold({ host: "::1" })];
      const running = startAdopted(program, { sockets: { http: sockets }, ...options });
      await running.printed(up);
      const agent = new Agent({ keepAlive: true });
      assert.equal(await ask(sockets[0]!, agent), "Hello World!");
      const hosts = ["127.0.0.1", "::1"];
      const answers = sockets.map(({ port }, index) =>
        once(get({ port, host: hosts[index], path: "/slow", agent }), "response"),
      );
      await running.printed("asked 2");
      running.child.kill("SIGTERM");
      for (const [response] of await Promise.all(answers)) assert.equal(await text(response), "late");
      const { code, stderr } = await running.ended;
      agent.destroy();
      assert.deepEqual([code, stderr], [0, ""]);
    });

    it("serves a unix socket", async () => {
      const path = join(folder, `${Object.keys(frameworks).indexOf(title)}.sock`);
      const running = startAdopted(program, { sockets: { http: hold({ path }) }, ...options });
      await running.printed(up);
      assert.equal(await ask(path), "Hello World!");
      const { code, stderr } = await stop(running);
      assert.deepEqual([code, stderr], [0, ""]);
    });
  });
}

describe("TLS", () => {
  const pem = new URL("./localhost.pem", import.meta.url);
  const ca = readFileSync(pem);
  const options = `import https from "node:https"; import http2 from "node:http2"; import { readFileSync } from "node:fs";
    const pem = readFileSync(${JSON.stringify(pem.pathname)}); const options = { key: pem, cert: pem };`;

  it("https", async () => {
    const sockets = [hold(), hold()];
    const program = startAdopted(
      `${options} https.createServer(options, (req, res) => { res.writeHead(200); res.end("secure"); }).listen(8000, () => console.log("up"));`,
      { sockets: { https: sockets }, map: "https=8000" },
    );
    await program.printed("up");
    for (const { port } of sockets) {
      const [response] = await once(getSecure({ port, ca, servername: "localhost", agent: false }), "response");
      assert.equal(await text(response), "secure");
    }
    assert.equal((await stop(program)).code, 0);
  });

  it("http2", async () => {
    const sockets = [hold(), hold()];
    const program = startAdopted(
      `${options} const server = http2.createSecureServer(options);
       server.on("stream", (stream) => { stream.respond({ ":status": 200 }); stream.end("two"); });
       server.listen(8443, () => console.log("up"));`,
      { sockets: { https: sockets }, map: "https=8443" },
    );
    await program.printed("up");
    for (const { port } of sockets) {
      const session = connectHttp2(`https://localhost:${port}`, { ca, family: 4 } as object);
      assert.equal(await text(session.request({ ":path": "/" })), "two");
      session.close();
    }
    assert.equal((await stop(program)).code, 0);
  });
});

describe("a program that handles SIGTERM itself", () => {
  it("keeps it, and its own close waits for every descriptor", async () => {
    const sockets = [hold(), hold()];
    const program = startAdopted(
      `${SLOW}
       const server = http.createServer(async (req, res) => { res.end(await slow()); }).listen(3000, () => console.log("up"));
       process.on("SIGTERM", () => { console.log("mine"); server.close(() => { console.log("closed"); process.exit(7); }); });`,
      { sockets: { http: sockets }, map: "http=3000" },
    );
    await program.printed("up");
    const answers = sockets.map((socket) => ask(socket));
    await program.printed("asked 2");
    const { code, stdout } = await stop(program);
    assert.deepEqual(await Promise.all(answers), ["late", "late"]);
    assert.deepEqual([code, stdout], [7, "up\nasked 1\nasked 2\nmine\nclosed\n"]);
  });

  it("keeps it in Fastify's own way, too", async () => {
    const socket = hold();
    const program = startAdopted(
      `import Fastify from "fastify";
       ${SLOW}
       const fastify = Fastify();
       fastify.get("/", () => slow());
       await fastify.listen({ port: 3000, host: "0.0.0.0" });
       process.on("SIGTERM", async () => { await fastify.close(); console.log("closed"); });
       console.log("up");`,
      { sockets: { http: [socket, hold()] }, map: "http=3000" },
    );
    await program.printed("up");
    const answer = ask(socket);
    await program.printed("asked");
    const { code, stdout } = await stop(program);
    assert.equal(await answer, "late");
    assert.deepEqual([code, stdout], [0, "up\nasked 1\nclosed\n"]);
  });
});
