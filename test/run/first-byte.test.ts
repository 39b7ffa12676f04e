import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { get as getSecurely } from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import { makeCertificate } from "../activation/certificates.ts";
import { type Program, watch } from "../activation/program.ts";
import { connectedPair } from "../helpers/passed-socket.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { develop } from "./built.ts";

interface Reporting {
  readonly program: Program;
  /** The port that it has printed. */
  readonly port: number;
  /** All that comes through the pipe, to its end. */
  readonly report: Promise<string>;
  /** What has come until now. */
  reported(): string;
}

/** Starts a server, which prints `port N` when it listens, as the launcher does: with a pipe behind its other descriptors. */
async function reporting(
  t: TestContext,
  server: string,
  stdin?: { readonly fd: number },
  folder?: (root: string) => void,
): Promise<Reporting> {
  const made = await develop(t, { server });
  folder?.(made.folder);
  const [file, ...args] = (await made.builder.build()).command;
  const child = spawn(file, args, {
    stdio: [stdin?.fd ?? "ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, ROUSE_RUN_REPORT: "3" },
  });
  t.after(() => child.kill("SIGKILL"));
  const pipe = child.stdio[3] as Readable;
  let came = "";
  pipe.setEncoding("utf8").on("data", (part) => {
    came += part;
  });
  const report = new Promise<string>((resolve) => pipe.on("close", () => resolve(came)));
  const program = watch(child);
  const port = new Promise<number>((resolve) => {
    child.stdout!.on("data", (part) => {
      const found = /port (\d+)/.exec(String(part));
      if (found) resolve(Number(found[1]));
    });
  });
  return { program, port: stdin ? 0 : await port, report, reported: () => came };
}

const microseconds = (): bigint => process.hrtime.bigint() / 1000n;

/** When the answer went out, and when the first connection came (microseconds). */
function timesOf(report: string): { answered: bigint; accepted: bigint } {
  const [, answered, accepted] = /^first-byte (\d+) accepted (\d+)\n$/.exec(report) ?? [];
  assert.ok(answered !== undefined && accepted !== undefined, `it told ${JSON.stringify(report)}`);
  return { answered: BigInt(answered), accepted: BigInt(accepted) };
}

const LISTEN = `server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));`;

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

describe("the first byte of the first answer", () => {
  it("is told once by http, with its time; what the program receives and calls itself is none", async (t) => {
    const started = await reporting(
      t,
      `import { createServer, get } from "node:http";
       const server = createServer((request, response) => {
         if (request.url === "/inner") return void setTimeout(() => response.end("inner"), 50);
         setTimeout(() => response.end("outer"), 300);
       });
       ${LISTEN}`,
    );
    const before = microseconds();
    const socket = await connected(started.port);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(started.reported(), "");
    await new Promise((resolve) => socket.once("data", resolve));
    const after = microseconds();
    const { answered, accepted } = timesOf(await started.report);
    assert.ok(before <= accepted && accepted + 250_000n < answered && answered <= after);
    assert.match(await (await fetch(`http://127.0.0.1:${started.port}/inner`)).text(), /inner/);
    socket.destroy();
  });

  it("is not what the program asks of others", async (t) => {
    const asked = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await once(asked, "listening");
    t.after(() => asked.close());
    const started = await reporting(
      t,
      `import { connect, createServer } from "node:net";
       const server = createServer();
       const client = connect(${(asked.address() as AddressInfo).port}, "127.0.0.1", () => {
         client.end("a question", () => { ${LISTEN} server.unref(); });
       });`,
    );
    assert.equal(await started.report, "");
    assert.equal((await started.program.ended).code, 0);
  });

  it("is told by plain net, before anything is read", async (t) => {
    const started = await reporting(
      t,
      `import { createServer } from "node:net"; const server = createServer((socket) => socket.end("welcome")); ${LISTEN}`,
    );
    assert.equal(await text(await connected(started.port)), "welcome");
    timesOf(await started.report);
  });

  it("is told by https when its handshake is over, and by http2", async (t) => {
    const certificate = (root: string) => void makeCertificate(root, "server");
    const keys = `const keys = { key: readFileSync("server.key"), cert: readFileSync("server.crt") };`;
    const head = `import { readFileSync } from "node:fs"; import https from "node:https"; import http2 from "node:http2"; process.chdir(import.meta.dirname + "/.."); ${keys}`;
    const https = await reporting(
      t,
      `${head} const server = https.createServer(keys, (_, response) => setTimeout(() => response.end("x"), 300)); ${LISTEN}`,
      undefined,
      certificate,
    );
    const began = microseconds();
    await new Promise<void>((resolve, reject) => {
      const request = getSecurely(
        { port: https.port, host: "127.0.0.1", rejectUnauthorized: false, agent: false },
        (response) => {
          response.resume().on("end", resolve);
        },
      );
      request.on("error", reject);
    });
    assert.ok(timesOf(await https.report).answered > began + 250_000n);

    const http2 = await reporting(
      t,
      `${head} const server = http2.createSecureServer(keys, (_, response) => setTimeout(() => response.end("x"), 300)); ${LISTEN}`,
      undefined,
      certificate,
    );
    const first = microseconds();
    const session = connectHttp2(`https://127.0.0.1:${http2.port}`, { rejectUnauthorized: false });
    const stream = session.request({ ":path": "/" }).resume();
    await new Promise((resolve) => stream.on("end", resolve));
    session.close();
    assert.ok(timesOf(await http2.report).answered > first + 250_000n);
  });

  it("is told of the one connection of a process, served or written to", async (t) => {
    for (const program of [
      `activation.connection!.end("alone");`,
      `const { createServer } = await import("node:net"); await activation.listen(createServer((socket) => socket.end("served")), "http");`,
    ]) {
      const { passed, client } = await connectedPair();
      const started = await reporting(
        t,
        `import { activate } from "rouse"; const activation = activate({ accept: "connection" }); ${program}`,
        passed,
      );
      passed.close();
      assert.match(await text(client), /alone|served/);
      timesOf(await started.report);
      assert.equal((await started.program.ended).code, 0);
    }
  });

  it("leaves the program as it was: no variable, no descriptor in its children, nothing kept alive or wrapped", async (t) => {
    const quiet = await reporting(
      t,
      `import { execFileSync } from "node:child_process"; import { Server, Socket } from "node:net";
       console.log("port 1", process.env.ROUSE_RUN_REPORT, execFileSync("/bin/sh", ["-c", "echo $ROUSE_RUN_REPORT; (: >&3) 2>/dev/null && echo open; true"]).toString().trim());`,
    );
    assert.equal(await quiet.report, "");
    const { code, stdout } = await quiet.program.ended;
    assert.deepEqual([code, stdout], [0, "port 1 undefined \n"]);

    const after = await reporting(
      t,
      `import { createServer, Server, Socket } from "node:net"; import { fstatSync } from "node:fs";
       const isOpen = () => { try { return fstatSync(3).isFIFO() || fstatSync(3).isSocket(); } catch { return false; } };
       const look = () => [isOpen(), Object.hasOwn(Server.prototype, "emit"), Socket.prototype._write, Socket.prototype._writev, Socket.prototype.connect];
       const before = look();
       const server = createServer((socket) => socket.end("x").on("close", () => {
         const after = look();
         console.log("left:", after.slice(0, 2).join(), after.filter((value, index) => value === before[index]).length);
         server.close();
       })); ${LISTEN}`,
    );
    await text(await connected(after.port));
    timesOf(await after.report);
    assert.match((await after.program.ended).stdout, /left: false,false 0\n/);
  });

  it("is no part of an executable", async (t) => {
    const { code } = await bundleService(await readService(makeProject(t, hello())));
    assert.doesNotMatch(code, /ROUSE_RUN_REPORT|first-byte|http2\.server|_writev/);
  });
});
