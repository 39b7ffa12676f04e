import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { get as getSecure } from "node:https";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { runProgram, startProgram } from "./program.ts";

const pem = new URL("./localhost.pem", import.meta.url);
const ca = readFileSync(pem);
const TLS = `import https from "node:https"; import http2 from "node:http2"; import { readFileSync } from "node:fs";
  const pem = readFileSync(${JSON.stringify(pem.pathname)}); const tls = { key: pem, cert: pem };`;
const SERVE_WITH = (call: string) => `const activation = ${call};
  const serve = async (server) => { await activation.listen(server, "http"); console.log("listening"); };`;
const SERVE = SERVE_WITH("activate()");
const held: HeldSocket[] = [];

function hold(): HeldSocket {
  const socket = holdSocket({ host: "127.0.0.1" });
  held.push(socket);
  return socket;
}

after(() => {
  for (const socket of held) socket.close();
});

describe("drain", () => {
  const ways = {
    // Signals are heard after what can be read has been read, so that these are answered before draining starts.
    "SIGTERM comes": { stop: "", header: undefined },
    // Here all of them still wait in the kernel's buffers when it starts.
    "drain is called": { stop: "activation.drain().then(() => process.exit());", header: "close" },
  };
  for (const [way, { stop, header }] of Object.entries(ways)) {
    for (const source of ["systemd", "bind"]) {
      it(`answers every request that waits behind a busy loop when ${way} (${source})`, async () => {
        const program = startProgram(
          `const activation = activate({ fallback: { http: "127.0.0.1:0" } });
           const server = http.createServer((request, response) => {
             response.end("answer");
             if (request.url !== "/block") return;
             fs.writeSync(1, "blocked");
             const end = performance.now() + 700;
             while (performance.now() < end);
             ${stop}
           });
           await activation.listen(server, "http");
           console.log("port=" + server.address().port + ";");`,
          source === "systemd" ? { sockets: { http: hold() } } : {},
        );
        const port = await portOf(program);
        const clients = await Promise.all(Array.from({ length: 50 }, () => keepAliveClient(port)));
        const blocker = await keepAliveClient(port);
        blocker.send("/block");
        await program.printed("blocked");
        for (const client of clients) client.send("/");
        const newcomers = Array.from({ length: 20 }, () => once(get({ port, agent: false }), "response"));
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (stop === "") program.child.kill("SIGTERM");
        const answers = await Promise.all(clients.map((client) => client.rest()));
        assert.equal(answers.filter((answer) => /^HTTP\/1.1 200 OK.*answer$/s.test(answer)).length, 50);
        for (const [response] of await Promise.all(newcomers)) assert.equal(await text(response), "answer");
        if (header) assert.equal(answers.filter((answer) => /^connection: close\r$/im.test(answer)).length, 50);
        assert.equal((await program.ended).code, 0);
      });
    }
  }

  it("ends connections that are idle or never asked, within a second", async () => {
    const passed = hold();
    const program = startProgram(`${SERVE} serve(http.createServer((request, response) => response.end("x")));`, {
      sockets: { http: passed },
    });
    await program.printed("listening");
    const idle = await keepAliveClient(passed.port);
    const silent = connect(passed.port, "127.0.0.1").on("error", () => {});
    await once(silent, "connect");
    const started = performance.now();
    program.child.kill("SIGTERM");
    assert.equal(await idle.rest(), "");
    assert.equal((await program.ended).code, 0);
    assert.ok(performance.now() - started < 1000);
    silent.destroy();
  });

  it("finishes an answer in flight and one that a slow client still reads", async () => {
    const passed = hold();
    const size = 30_000_000;
    const program = startProgram(
      `${SERVE} serve(http.createServer((request, response) => {
         if (request.url === "/large") { console.log("large"); response.end(Buffer.alloc(${size}, "x")); return; }
         console.log("asked");
         setTimeout(() => response.end("late"), 400);
       }));`,
      { sockets: { http: passed } },
    );
    await program.printed("listening");
    const agent = new Agent({ keepAlive: true });
    const [slow] = await once(get({ port: passed.port, path: "/large", agent }), "response");
    const late = once(get({ port: passed.port, agent }), "response");
    await program.printed("asked");
    program.child.kill("SIGTERM");
    const [response] = await late;
    assert.equal(response.headers.connection, "close");
    assert.equal(await text(response), "late");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal((await text(slow)).length, size);
    assert.equal((await program.ended).code, 0);
  });

  it("lets plain connections finish, and destroys what is left at the deadline", async () => {
    const passed = hold();
    const program = startProgram(
      `const activation = activate();
       await activation.listen(net.createServer((socket) => { socket.on("data", () => socket.end("bye")); socket.on("error", () => {}) }), "http");
       activation.signal.addEventListener("abort", () => console.log("draining"));
       process.on("SIGUSR2", async () => { await activation.drain({ deadline: 600 }); console.log("drained"); process.exit() });
       console.log("listening");`,
      { sockets: { http: passed } },
    );
    await program.printed("listening");
    const [polite, stuck] = [
      connect(passed.port, "127.0.0.1"),
      connect(passed.port, "127.0.0.1").on("error", () => {}),
    ];
    await Promise.all([once(polite, "connect"), once(stuck, "connect")]);
    program.child.kill("SIGUSR2");
    await program.printed("draining");
    polite.write("x");
    assert.equal(await text(polite), "bye");
    const closed = once(stuck, "close");
    await program.printed("drained");
    await closed;
    assert.equal((await program.ended).code, 0);
  });

  it("lets a program that is still starting listen no more", async () => {
    const passed = hold();
    const program = startProgram(
      `const activation = activate();
       process.on("SIGTERM", async () => { await activation.drain(); console.log("drained"); process.on("SIGUSR2", () => process.exit()); });
       setInterval(() => {}, 1000);
       console.log("starting");
       await new Promise((resolve) => process.on("SIGUSR1", resolve));
       await activation.listen(http.createServer((request, response) => setTimeout(() => response.end("late"), 500)), "http");
       console.log("started");`,
      { sockets: { http: passed } },
    );
    await program.printed("starting");
    program.child.kill();
    await program.printed("drained");
    program.child.kill("SIGUSR1");
    await program.printed("started");
    const answer = once(get({ port: passed.port, agent: false }), "response");
    await new Promise((resolve) => setTimeout(resolve, 200));
    program.child.kill("SIGUSR2");
    assert.equal((await program.ended).code, 0);
    const next = startProgram(`${SERVE} serve(http.createServer((request, response) => response.end("next")));`, {
      sockets: { http: passed },
    });
    assert.equal(await text((await answer)[0]), "next");
    next.child.kill();
    await next.ended;
  });

  it("aborts activation.signal when it starts, asked for before or after", async () => {
    const { stdout } = await runProgram(
      `const [first, second] = [activate(), activate()];
       const { signal } = first;
       console.log(signal.aborted);
       signal.addEventListener("abort", () => console.log(first.drain() === draining));
       const draining = first.drain();
       await Promise.all([draining, second.drain()]);
       console.log(signal.aborted, second.signal.aborted, second.signal === second.signal);`,
    );
    assert.equal(stdout, "false\ntrue\ntrue true true\n");
  });

  it("leaves the connections that come later to the next process", async () => {
    const passed = hold();
    const program = startProgram(`${SERVE} serve(http.createServer((request, response) => response.end("first")));`, {
      sockets: { http: passed },
    });
    await program.printed("listening");
    program.child.kill("SIGTERM");
    await program.ended;
    const answer = once(get({ port: passed.port, agent: false }), "response");
    const next = startProgram(`${SERVE} serve(http.createServer((request, response) => response.end("second")));`, {
      sockets: { http: passed },
    });
    assert.equal(await text((await answer)[0]), "second");
    next.child.kill();
    await next.ended;
  });
});

describe("servers over two descriptors", () => {
  it("net", async () => {
    const sockets = [hold(), hold()];
    const program = startProgram(`${SERVE} serve(net.createServer((socket) => socket.end("plain")));`, {
      sockets: { http: sockets },
    });
    await program.printed("listening");
    for (const { port } of sockets) assert.equal(await text(connect(port, "127.0.0.1")), "plain");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("https", async () => {
    const sockets = [hold(), hold()];
    const program = startProgram(
      `${TLS} ${SERVE} serve(https.createServer(tls, (request, response) => response.end("secure")));`,
      { sockets: { http: sockets } },
    );
    await program.printed("listening");
    for (const { port } of sockets) {
      const [response] = await once(getSecure({ port, ca, servername: "localhost" }), "response");
      assert.equal(await text(response), "secure");
    }
    const started = performance.now();
    program.child.kill();
    assert.equal((await program.ended).code, 0);
    assert.ok(performance.now() - started < 1000);
  });

  const http2Servers = {
    "http2 with the compatibility layer": `http2.createServer((request, response) => setTimeout(() => response.end("two"), 300))`,
    "http2 by streams": `http2.createServer().on("stream", (stream) => { stream.respond(); setTimeout(() => stream.end("two"), 300) })`,
    "http2 over TLS": `http2.createSecureServer({ ...tls, allowHTTP1: true }, (request, response) => setTimeout(() => response.end("two"), 300))`,
  };
  for (const [title, server] of Object.entries(http2Servers)) {
    it(`${title}, which ends its sessions after the streams in flight`, async () => {
      const sockets = [hold(), hold()];
      const program = startProgram(
        `${TLS} ${SERVE} const server = ${server};
        server.on("stream", () => console.log("stream")); serve(server);`,
        { sockets: { http: sockets } },
      );
      await program.printed("listening");
      const scheme = title.includes("TLS") ? "https" : "http";
      const sessions = sockets.map(({ port }) =>
        connectHttp2(`${scheme}://localhost:${port}`, { ca, family: 4 } as object),
      );
      const goaways = sessions.map((session) => once(session, "goaway"));
      const requests = sessions.map((session) => text(session.request({ ":path": "/" })));
      await program.printed("stream\nstream");
      program.child.kill();
      assert.deepEqual(await Promise.all(requests), ["two", "two"]);
      for (const [code] of await Promise.all(goaways)) assert.equal(code, 0);
      assert.equal((await program.ended).code, 0);
    });
  }

  it("http/1 on an http2 server", async () => {
    const sockets = [hold(), hold()];
    const program = startProgram(
      `${TLS} ${SERVE} serve(http2.createSecureServer({ ...tls, allowHTTP1: true }, (request, response) => response.end("one")));`,
      { sockets: { http: sockets } },
    );
    await program.printed("listening");
    for (const { port } of sockets) {
      const [response] = await once(getSecure({ port, ca, servername: "localhost" }), "response");
      assert.equal(await text(response), "one");
    }
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });
});

describe("signals", () => {
  const serving = `${SERVE_WITH("activate(OPTIONS)")} await serve(http.createServer((request, response) => response.end("x")));`;
  const cases: [
    title: string,
    options: string,
    more: string,
    signal: NodeJS.Signals,
    code: number | null,
    killedBy: string | null,
  ][] = [
    ["SIGINT drains and exits 0", "{}", "", "SIGINT", 0, null],
    [
      "a listener of the program, added later, keeps the signal",
      "{}",
      `process.on("SIGTERM", () => process.exit(7));`,
      "SIGTERM",
      7,
      null,
    ],
    ["signals: [] leaves them alone", "{ signals: [] }", "", "SIGTERM", null, "SIGTERM"],
    ["an activation that is over leaves them alone", "{}", "await activation.drain();", "SIGTERM", null, "SIGTERM"],
  ];
  for (const [title, options, more, signal, code, killedBy] of cases) {
    it(title, async () => {
      const keepAlive = `setInterval(() => {}, 1000); console.log("up");`;
      const program = startProgram(`${serving.replace("OPTIONS", options)} ${more} ${keepAlive}`, {
        sockets: { http: hold() },
      });
      await program.printed("up");
      await program.printed("listening");
      program.child.kill(signal);
      const result = await program.ended;
      assert.deepEqual([result.code, result.signal], [code, killedBy]);
    });
  }

  it("drain and reload where a package has signal-exit, which waits for whoever else listens", async () => {
    const program = startProgram(
      `const counted = (globalThis[Symbol.for("signal-exit emitter")] = { count: 1 });
       for (const signal of ["SIGTERM", "SIGHUP"]) {
         const listener = () => { if (process.listeners(signal).length === counted.count) process.kill(process.pid, signal); };
         process.on(signal, listener);
       }
       const activation = activate();
       activation.onReload(() => console.log("reloaded"));
       await activation.listen(http.createServer(), "http");
       console.log("up");`,
      { sockets: { http: hold() } },
    );
    await program.printed("up");
    program.child.kill("SIGHUP");
    await program.printed("reloaded");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("SIGHUP drains, too, where it is to, also under a manager, which reloads by it elsewhere", async () => {
    const program = startProgram(`${serving.replace("OPTIONS", '{ signals: ["SIGHUP"] }')}`, {
      sockets: { http: hold() },
      env: { NOTIFY_SOCKET: "/nowhere" },
    });
    await program.printed("listening");
    program.child.kill("SIGHUP");
    assert.equal((await program.ended).code, 0);
  });

  for (const times of ["once", "twice at once, as npm passes them on"]) {
    it(`wait for a server that the program listens with itself, where they come ${times}`, async () => {
      const passed = hold();
      const program = startProgram(
        `const activation = activate();
       const server = http.createServer((request, response) => { console.log("asked"); setTimeout(() => response.end("own"), 300) });
       server.listen(...activation.socket("http").listenArguments(), () => console.log("listening"));
       activation.signal.addEventListener("abort", () => server.close());`,
        { sockets: { http: passed } },
      );
      await program.printed("listening");
      const answer = once(get({ port: passed.port, agent: false }), "response");
      await program.printed("asked");
      program.child.kill("SIGINT");
      if (times !== "once") {
        await new Promise((resolve) => setTimeout(resolve, 100));
        program.child.kill("SIGINT");
      }
      assert.equal(await text((await answer)[0]), "own");
      assert.equal((await program.ended).code, 0);
    });
  }
});

// --- internal ---

async function portOf(program: ReturnType<typeof startProgram>): Promise<number> {
  let output = "";
  program.child.stdout!.on("data", (data) => {
    output += data;
  });
  await program.printed(";");
  return Number(/port=(\d+);/.exec(output)![1]);
}

/** A connection that has had one answer already. */
async function keepAliveClient(port: number): Promise<{ send(path: string): void; rest(): Promise<string> }> {
  const socket: Socket = connect(port, "127.0.0.1");
  socket.setEncoding("utf8");
  const send = (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  send("/");
  let received = "";
  while (!/\r\n\r\n.+/s.test(received)) received += (await once(socket, "data"))[0];
  received = "";
  const done = new Promise<string>((resolve) => {
    socket.on("data", (data) => {
      received += data;
    });
    // A reset shows as an answer that is missing.
    socket.on("error", () => resolve(received)).on("end", () => resolve(received.replace(/\r\n0\r\n\r\n$/, "")));
  });
  return { send, rest: () => done };
}
