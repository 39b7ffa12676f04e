import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { Agent, get } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { serveEachConnection } from "../helpers/per-connection.ts";
import { slowNetwork } from "../helpers/slow-network.ts";
import { flags, moduleText, node, type Program, startProgram, watch } from "./program.ts";

const pem = new URL("./localhost.pem", import.meta.url);
const ca = readFileSync(pem);
const folder = mkdtempSync(join(tmpdir(), "rouse-http2-"));
const held: HeldSocket[] = [];
const programs: Program[] = [];
let paths = 0;

after(() => {
  for (const socket of held) socket.close();
  for (const { child } of programs) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const IMPORTS = `import http2 from "node:http2"; import https from "node:https"; import { text } from "node:stream/consumers";
  const files = { key: ${JSON.stringify(pem.pathname)}, cert: ${JSON.stringify(pem.pathname)} };`;

/** Where a client finds the server. */
type Target = { readonly host: string; readonly port: number } | { readonly path: string };

function open(kind: "ipv4" | "ipv6" | "unix"): { readonly socket: HeldSocket; readonly target: Target } {
  const path = join(folder, `${++paths}.sock`);
  const host = kind === "ipv6" ? "::1" : "127.0.0.1";
  const socket = holdSocket(kind === "unix" ? { path } : { host });
  held.push(socket);
  return { socket, target: kind === "unix" ? { path } : { host, port: socket.port } };
}

/** Serves `server` (source text) under the name "http" on sockets of these kinds. */
async function serve(server: string, ...kinds: readonly ("ipv4" | "ipv6" | "unix")[]): Promise<[Program, ...Target[]]> {
  const opened = kinds.map(open);
  const program = startProgram(
    `${IMPORTS} const activation = activate({ fallback: { http: 8443 } });
     const server = ${server};
     if ("setSecureContext" in server) secure(activation, server, files);
     await activation.listen(server, "http");
     console.log("listening");`,
    { sockets: { http: opened.map(({ socket }) => socket) } },
  );
  programs.push(program);
  await program.printed("listening");
  return [program, ...opened.map(({ target }) => target)];
}

/** A session over TLS with ALPN h2, or in clear text with prior knowledge (h2c). */
function session(target: Target, secure: boolean): ClientHttp2Session {
  const made = connectHttp2(`${secure ? "https" : "http"}://localhost`, {
    createConnection: () =>
      secure ? connectTls({ ...target, ca, servername: "localhost", ALPNProtocols: ["h2"] }) : connect(target),
  });
  // A reset shows as an answer that is missing.
  return made.on("error", () => {});
}

async function askOne(target: Target, agent: Agent, path: string): Promise<{ body: string; close: boolean }> {
  const place = "path" in target ? { socketPath: target.path } : target;
  const [response] = await once(get({ ...place, path, agent, ca, servername: "localhost" }), "response");
  return { body: await text(response), close: response.headers.connection === "close" };
}

async function end(program: Program): Promise<void> {
  program.child.kill("SIGTERM");
  const { code, stderr } = await program.ended;
  assert.deepEqual([code, stderr], [0, ""]);
}

describe("h2 and http/1.1 on one server", () => {
  const answer = `(request, response) => response.end(request.httpVersion)`;
  const servers: Readonly<Record<string, string>> = {
    "http2.createSecureServer": `http2.createSecureServer({ allowHTTP1: true }, ${answer})`,
    Koa: `http2.createSecureServer({ allowHTTP1: true }, new (await import("koa")).default().use((ctx) => { ctx.body = ctx.req.httpVersion; }).callback())`,
    Fastify: `await (async () => {
      const { default: Fastify } = await import("fastify");
      const fastify = Fastify({ http2: true, https: { allowHTTP1: true } });
      fastify.get("/", async (request) => request.raw.httpVersion);
      await fastify.ready();
      return fastify.server;
    })()`,
    Hono: `await (async () => {
      const [{ Hono }, { createAdaptorServer }] = [await import("hono"), await import("@hono/node-server")];
      const app = new Hono();
      app.get("/", (c) => c.text(c.env.incoming.httpVersion));
      return createAdaptorServer({ fetch: app.fetch, createServer: http2.createSecureServer, serverOptions: { allowHTTP1: true } });
    })()`,
  };
  for (const [title, server] of Object.entries(servers)) {
    it(`${title} over IPv4, IPv6 and a unix socket`, async () => {
      const [program, ...targets] = await serve(server, "ipv4", "ipv6", "unix");
      const agent = new Agent({ keepAlive: true });
      for (const target of targets) {
        const two = session(target, true);
        assert.equal(await text(two.request()), "2.0");
        assert.deepEqual(await askOne(target, agent, "/"), { body: "1.1", close: false });
      }
      // All of them are open still, and idle.
      await end(program);
    });
  }
});

describe("h2c", () => {
  const servers: Readonly<Record<string, string>> = {
    "http2.createServer": `http2.createServer((request, response) => response.end(request.httpVersion))`,
    Fastify: `await (async () => {
      const { default: Fastify } = await import("fastify");
      const fastify = Fastify({ http2: true });
      fastify.get("/", async (request) => request.raw.httpVersion);
      await fastify.ready();
      return fastify.server;
    })()`,
  };
  for (const [title, server] of Object.entries(servers)) {
    it(`${title} over IPv4, IPv6 and a unix socket`, async () => {
      const [program, ...targets] = await serve(server, "ipv4", "ipv6", "unix");
      for (const target of targets) assert.equal(await text(session(target, false).request()), "2.0");
      await end(program);
    });
  }
});

describe("draining h2", () => {
  it("answers 200 requests in flight, h2 and http/1.1 keep-alive, on one server", async () => {
    const [program, ...targets] = await serve(
      `http2.createSecureServer({ allowHTTP1: true }, (request, response) => {
         if (request.url === "/first") return response.end("first");
         asked++;
         if (asked === 200) console.log("all asked");
         setTimeout(() => response.end("late"), 300 + Math.random() * 300);
       }); let asked = 0`,
      "ipv4",
      "unix",
    );
    const sessions = targets.map((target) => session(target, true));
    const agents = Array.from({ length: 100 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    await Promise.all(agents.map((agent, index) => askOne(targets[index % 2]!, agent, "/first")));
    const two = Array.from({ length: 100 }, (_, index) => text(sessions[index % 2]!.request()));
    const one = agents.map((agent, index) => askOne(targets[index % 2]!, agent, "/"));
    await program.printed("all asked");
    program.child.kill("SIGTERM");
    assert.deepEqual(new Set(await Promise.all(two)), new Set(["late"]));
    for (const { body, close } of await Promise.all(one)) assert.deepEqual([body, close], ["late", true]);
    assert.equal((await program.ended).code, 0);
  });

  it("takes the rest of an upload, and sends the rest of an answer, in both directions at once", async () => {
    for (const secure of [true, false]) {
      const create = secure ? "createSecureServer" : "createServer";
      const [program, ...targets] = await serve(
        `http2.${create}({}, (request, response) => request.pipe(response))`,
        "ipv4",
        "unix",
      );
      const streams = targets.map((target) => {
        const stream = session(target, secure).request({ ":method": "POST" });
        stream.write("before ");
        return { stream, body: text(stream) };
      });
      await Promise.all(streams.map(({ stream }) => once(stream, "response")));
      const goaways = streams.map(({ stream }) => once(stream.session!, "goaway"));
      program.child.kill("SIGTERM");
      await Promise.all(goaways);
      for (const { stream } of streams) stream.end("after");
      for (const { body } of streams) assert.equal(await body, "before after");
      assert.equal((await program.ended).code, 0);
    }
  });

  // RFC 9113 (6.8) has a first GOAWAY that refuses nothing, which Node cannot send.
  it("refuses a request that was on its way when the session was told to end, so that it may be repeated", async () => {
    for (const secure of [true, false]) {
      const create = secure ? "createSecureServer" : "createServer";
      const [program, target] = await serve(
        `http2.${create}({}, (request, response) => response.end("in time"))`,
        "ipv4",
      );
      await using network = await slowNetwork(target!);
      const client = session({ host: "127.0.0.1", port: network.port }, secure);
      assert.equal(await text(client.request()), "in time");
      const told = network.holdBack();
      program.child.kill("SIGTERM");
      await told;
      const onItsWay = client.request().on("error", () => {});
      const closed = new Promise((resolve) => onItsWay.on("close", resolve));
      await network.passed();
      network.release();
      await closed;
      assert.equal(onItsWay.rstCode, constants.NGHTTP2_REFUSED_STREAM);
      assert.equal((await program.ended).code, 0);
    }
  });

  it("ends connections that never began a handshake, and keep-alive ones that are idle", {
    timeout: 30_000,
  }, async () => {
    for (const server of [`https.createServer(answer)`, `http2.createSecureServer({ allowHTTP1: true }, answer)`]) {
      const [program, target] = await serve(
        `(() => {
           const answer = (request, response) => response.end("x");
           process.on("SIGTERM", () => activation.drain({ deadline: 60_000 }).then(() => process.exit()));
           return ${server};
         })()`,
        "ipv4",
      );
      const silent = connect(target!).on("error", () => {});
      await once(silent, "connect");
      const shaken = connectTls({ ...target!, ca, servername: "localhost" }).on("error", () => {});
      await once(shaken, "secureConnect");
      await askOne(target!, new Agent({ keepAlive: true }), "/");
      await end(program);
    }
  });
});

describe("one process per connection", () => {
  for (const secure of [true, false]) {
    it(`speaks ${secure ? "h2 over TLS" : "h2c"} until the session ends`, async () => {
      const create = secure ? "createSecureServer" : "createServer";
      const source = `${IMPORTS} const activation = activate({ fallback: { http: 8443 }, accept: "connection" });
        const server = http2.${create}({}, (request, response) => response.end("two"));
        ${secure ? "secure(activation, server, files);" : ""} await activation.listen(server, "http");`;
      const started: Program[] = [];
      const command = [node, ...flags, "--input-type=module", "--eval", moduleText(source)] as const;
      await using inetd = await serveEachConnection(command, "standard input", (child) => started.push(watch(child)));
      const client = session({ host: "127.0.0.1", port: inetd.port }, secure);
      for (let i = 0; i < 3; i++) assert.equal(await text(client.request()), "two");
      client.close();
      const { code, stderr } = await started[0]!.ended;
      assert.deepEqual([code, stderr], [0, ""]);
    });
  }
});
