/** What clients have sent, or are about to send, when SIGTERM comes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { get as getSecurely, Agent as SecureAgent } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { slowNetwork } from "../helpers/slow-network.ts";
import { type Program, startProgram } from "./program.ts";

const pem = new URL("./localhost.pem", import.meta.url);
const ca = readFileSync(pem);
const folder = mkdtempSync(join(tmpdir(), "rouse-in-flight-"));
const held: HeldSocket[] = [];
const programs: Program[] = [];
let paths = 0;

after(() => {
  for (const socket of held) socket.close();
  for (const { child } of programs) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

/** Serves `server` (source text) on a TCP and a unix socket. */
async function serve(server: string): Promise<{ program: Program; port: number; path: string }> {
  const path = join(folder, `${++paths}.sock`);
  const sockets = [holdSocket(), holdSocket({ path })];
  held.push(...sockets);
  const program = startProgram(
    `import https from "node:https"; import http2 from "node:http2";
     const activation = activate({ fallback: { http: 8080 } });
     const files = { key: ${JSON.stringify(pem.pathname)}, cert: ${JSON.stringify(pem.pathname)} };
     const server = ${server};
     if ("setSecureContext" in server) secure(activation, server, files);
     await activation.listen(server, "http");
     console.log("listening");`,
    { sockets: { http: sockets } },
  );
  programs.push(program);
  await program.printed("listening");
  return { program, port: sockets[0]!.port, path };
}

describe("SIGTERM", () => {
  for (const secure of [false, true]) {
    it(`with 200 requests in flight over ${secure ? "https" : "http"} with keep-alive: all are answered`, async () => {
      const { program, port, path } = await serve(
        `${secure ? "https" : "http"}.createServer((request, response) => {
           if (request.url === "/first") return response.end("first");
           if (++asked === 200) console.log("all asked");
           setTimeout(() => response.end("late"), 300 + Math.random() * 300);
         }); let asked = 0`,
      );
      const ask = async (agent: Agent, index: number, url: string) => {
        const options = { agent, path: url, ...(index % 2 ? { socketPath: path } : { port, host: "127.0.0.1" }) };
        const request = secure ? getSecurely({ ...options, ca, servername: "localhost" }) : get(options);
        const [response] = await once(request, "response");
        return [await text(response), response.headers.connection, request.reusedSocket];
      };
      const Keeping = secure ? SecureAgent : Agent;
      const agents = Array.from({ length: 200 }, () => new Keeping({ keepAlive: true, maxSockets: 1 }));
      await Promise.all(agents.map((agent, index) => ask(agent, index, "/first")));
      const answers = agents.map((agent, index) => ask(agent, index, "/"));
      await program.printed("all asked");
      program.child.kill("SIGTERM");
      for (const answer of await Promise.all(answers)) assert.deepEqual(answer, ["late", "close", true]);
      assert.equal((await program.ended).code, 0);
    });
  }

  it("with a client that asks first (Expect: 100-continue): it is let go on, and told to go elsewhere then", async () => {
    const { program, port } = await serve(
      `http.createServer().on("checkContinue", (request, response) => {
         console.log("asked");
         activation.signal.addEventListener("abort", () => setTimeout(() => {
           response.writeContinue();
           request.resume().on("end", () => response.end("done"));
         }, 200));
       })`,
    );
    const client = connect(port, "127.0.0.1");
    client.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    client.once("data", () => client.write("x"));
    const answer = text(client);
    await program.printed("asked");
    program.child.kill();
    assert.match(await answer, /^HTTP\/1\.1 100 .*HTTP\/1\.1 200 .*Connection: close.*done$/s);
    assert.equal((await program.ended).code, 0);
  });

  it("with requests that one client has sent together: each is answered, and so is one that comes then", async () => {
    const { program, port } = await serve(
      `http.createServer((request, response) => {
         waiting.push(() => response.end("answer to " + request.url));
         console.log("asked for " + request.url);
         if (waiting.length === 4) for (const answer of waiting) answer();
       });
       const waiting = [];
       activation.signal.addEventListener("abort", () => setTimeout(() => console.log("draining"), 100))`,
    );
    const client = connect(port, "127.0.0.1");
    const received = text(client);
    const send = (...urls: string[]) =>
      client.write(urls.map((url) => `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
    send("/1", "/2", "/3");
    await program.printed("asked for /3");
    program.child.kill("SIGTERM");
    await program.printed("draining");
    send("/4");
    const answers = (await received).split(/(?=HTTP\/1\.1 200 OK)/);
    assert.deepEqual(
      answers.map((answer) => [/answer to .*/.exec(answer)?.[0], /^connection: close\r$/im.test(answer)]),
      [
        ["answer to /1", false],
        ["answer to /2", false],
        ["answer to /3", false],
        ["answer to /4", true],
      ],
    );
    assert.equal((await program.ended).code, 0);
  });

  for (const protocol of ["https", "http2"]) {
    it(`while a client from far away still shakes hands: its first request is answered (${protocol})`, async () => {
      const { program, port } = await serve(
        `${protocol}.${protocol === "https" ? "createServer" : "createSecureServer"}({}, (request, response) => response.end("welcome"))`,
      );
      await using network = await slowNetwork({ port }, 100);
      const answer = protocol === "https" ? ask(network.port) : askHttp2(network.port);
      await network.answered();
      program.child.kill("SIGTERM");
      assert.equal(await answer, "welcome");
      assert.equal((await program.ended).code, 0);
    });
  }
});

// --- internal ---

async function ask(port: number): Promise<string> {
  const [response] = await once(
    getSecurely({ port, host: "127.0.0.1", agent: false, ca, servername: "localhost" }),
    "response",
  );
  return await text(response);
}

async function askHttp2(port: number): Promise<string> {
  const session = connectHttp2(`https://localhost:${port}`, { ca, family: 4 } as object);
  try {
    return await text(session.on("error", () => {}).request());
  } finally {
    session.close();
  }
}
