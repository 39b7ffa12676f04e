import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { ask, hold, startAdopted, startAdoptedNode, stop } from "./adopted.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-adopt-"));
after(() => rmSync(folder, { recursive: true }));

const SERVER = `const server = http.createServer((request, response) => response.end("adopted"));`;

describe("every form of listen that Node documents", () => {
  const path = join(folder, "own.sock");
  const forms: Record<string, [call: string, map: string]> = {
    "port and callback": ["listen(3000, done)", "http=3000"],
    "port, host and callback": [`listen(3000, "localhost", done)`, "http=3000"],
    "port, host, backlog and callback": [`listen(3000, "0.0.0.0", 100, done)`, "http=3000"],
    "port, backlog and callback": ["listen(3000, 100, done)", "http=3000"],
    "a port as text, as servers read it from PORT": [`listen("3000", done)`, "http=3000"],
    "a port as text, and a host": [`listen("3000", "::", done)`, "http=3000"],
    "port and undefined": ["listen(3000, undefined, undefined, done)", "http=3000"],
    "options with a port": ["listen({ port: 3000 }, done)", "http=3000"],
    "options with more": [
      `listen({ port: "3000", host: "127.0.0.1", exclusive: true, ipv6Only: false }, done)`,
      "http=3000",
    ],
    "frozen options": ["listen(Object.freeze({ port: 3000 }), done)", "http=3000"],
    "a path": [`listen(${JSON.stringify(path)}, done)`, `http=${path}`],
    "a path and a backlog": [`listen(${JSON.stringify(path)}, 100, done)`, `http=unix:${path}`],
    "options with a path": [`listen({ path: ${JSON.stringify(path)}, readableAll: true }, done)`, `http=${path}`],
    "a relative path": [`listen("./own.sock", done)`, "http=./own.sock"],
    "an abstract name": [`listen("\\0rouse-test-adopt", done)`, "http=unix:@rouse-test-adopt"],
    "the event instead of the callback": [`listen(3000).on("listening", done)`, "http=3000"],
    "what listen gives back": ["listen(3000, () => {}) === server && done()", "http=3000"],
  };
  for (const [title, [call, map]] of Object.entries(forms)) {
    it(title, async () => {
      const socket = hold();
      const source = `${SERVER} const done = () => console.log("listening " + server.address().port); server.${call};`;
      const program = startAdopted(source, { sockets: { http: socket }, map });
      await program.printed("listening");
      assert.equal(await ask(socket), "adopted");
      assert.deepEqual(await stop(program), { code: 0, stdout: `listening ${socket.port}\n`, stderr: "" });
    });
  }

  it("tells the address at once, the callback before other listeners, both once and later", async () => {
    const socket = hold();
    const program = startAdopted(
      `${SERVER} server.listen(3000, function () { console.log("callback", this === server); });
       server.on("listening", () => console.log("event"));
       console.log(server.listening, server.address().port);`,
      { sockets: { http: socket }, map: "http=3000" },
    );
    await program.printed("event");
    assert.equal((await stop(program)).stdout, `true ${socket.port}\ncallback true\nevent\n`);
  });

  it("closes at an abort signal", async () => {
    const program = startAdopted(
      `const control = new AbortController();
       ${SERVER} server.listen({ port: 3000, signal: control.signal }, () => control.abort());
       server.on("close", () => console.log("closed"));`,
      { sockets: { http: hold() }, map: "http=3000" },
    );
    assert.equal((await program.ended).stdout, "closed\n");
  });

  it("leaves the backlog of the unit, unless the program gives one", async () => {
    for (const [args, backlog] of [
      ["3000", 7],
      ["3000, 33", 33],
      [`{ port: 3000, backlog: 34 }`, 34],
    ] as const) {
      const socket = hold({ backlog: 7 });
      const program = startAdopted(`${SERVER} server.listen(${args}).on("listening", () => console.log("up"));`, {
        sockets: { http: socket },
        map: "http=3000",
      });
      await program.printed("up");
      const [line = ""] = execFileSync("ss", ["-Hltn", `sport = :${socket.port}`], { encoding: "utf8" }).split("\n");
      assert.equal(Number(line.trim().split(/\s+/)[2]), backlog, args);
      await stop(program);
    }
  });
});

describe("which socket a call receives", () => {
  const two = `for (const port of [3000, 3001]) http.createServer((request, response) => response.end(String(port))).listen(port, "localhost", () => console.log("up" + port));`;

  it("the one that ROUSE_ADOPT says, and no child sees that variable", async () => {
    const sockets = { b: hold(), a: hold() };
    const program = startAdopted(`${two} console.log(process.env.ROUSE_ADOPT);`, { sockets, map: "a=3000  b=3001" });
    await program.printed("up3000");
    await program.printed("up3001");
    assert.deepEqual([await ask(sockets.a), await ask(sockets.b)], ["3000", "3001"]);
    assert.match((await stop(program)).stdout, /^undefined\n/);
  });

  it("the one that is named by the port", async () => {
    const sockets = { 3001: hold(), 3000: hold() };
    const program = startAdopted(two, { sockets });
    await program.printed("up3000");
    await program.printed("up3001");
    assert.deepEqual([await ask(sockets[3000]), await ask(sockets[3001])], ["3000", "3001"]);
    assert.equal((await stop(program)).code, 0);
  });

  it("the one that is named by the path", async () => {
    const path = join(folder, "named.sock");
    const sockets = { [path]: hold(), other: hold() };
    const program = startAdopted(`${SERVER} server.listen(${JSON.stringify(path)}, () => console.log("up"));`, {
      sockets,
    });
    await program.printed("up");
    assert.equal(await ask(sockets[path]!), "adopted");
    await stop(program);
  });

  it("the only one, for the first that listens on a port of its choice", async () => {
    const socket = hold();
    const program = startAdopted(
      `net.createServer().listen(0, function () {
         console.log("any", this.address().port !== ${socket.port});
         this.close();
         ${SERVER} server.listen(3000, () => {
           http.createServer().listen(0, function () { console.log("second", this.address().port !== ${socket.port}); this.close(); });
         });
       });`,
      { sockets: { web: socket } },
    );
    await program.printed("second");
    assert.equal(await ask(socket), "adopted");
    assert.equal((await stop(program)).stdout, "any true\nsecond true\n");
  });

  const hosts: [rule: string, host: string, isAdopted: boolean][] = [
    ["3000", "127.0.0.1", true],
    ["3000", "::1", true],
    ["127.0.0.1:3000", "127.0.0.1", true],
    ["127.0.0.1:3000", "::1", false],
    ["127.0.0.1:3000", "localhost", true],
    ["127.0.0.1:3000", "", false],
    ["[::]:3000", "", true],
  ];
  for (const [rule, host, isAdopted] of hosts) {
    it(`a rule for ${rule} ${isAdopted ? "is" : "is not"} for ${host || "no host"}`, async () => {
      const own = holdSocket();
      own.close();
      const socket = hold();
      const source = `net.createServer().listen({ port: ${own.port}, host: ${JSON.stringify(host)} }, function () { console.log(this.address().port); process.exit(); });`;
      const map = `http=${rule.replace("3000", String(own.port))}`;
      const { stdout, stderr } = await startAdopted(source, { sockets: { http: socket }, map }).ended;
      assert.equal(stdout, `${isAdopted ? socket.port : own.port}\n`, stderr);
    });
  }

  it("none, and a warning that says how to map, where two were passed and nothing tells them apart", async () => {
    const spare = holdSocket();
    spare.close();
    const program = startAdopted(`${SERVER} server.listen(${spare.port});`, { sockets: { a: hold(), b: hold() } });
    program.child.stderr!.once("data", () => program.child.kill());
    const { stderr } = await program.ended;
    assert.match(
      stderr,
      /^\S+: warning: the program listens on an address that no passed socket is for; passed: "a" .*"b" /,
    );
    assert.match(stderr, /ROUSE_ADOPT="NAME=\d+"\n$/);
  });

  it("an error names both lists where the one that it should receive is missing", async () => {
    const source = `${SERVER} server.on("error", (error) => console.log(error.code, error.message)).listen(3000);`;
    const { stdout } = await startAdopted(source, { sockets: { http: hold(), x: hold() }, map: "web=3000" }).ended;
    assert.match(stdout, /^missing-socket no socket is named "web"; passed: "http" .*; asked for: web\./);
  });

  it("a variable that cannot be read ends the program with one line", async () => {
    const { code, stderr } = await startAdopted("", { sockets: { http: hold() }, map: "3000" }).ended;
    assert.equal(code, 1);
    assert.match(stderr, /^\S+: ROUSE_ADOPT: "3000" is no NAME=ADDRESS\. Write [^\n]*\n$/);
  });
});

describe("an adopted server", () => {
  it("serves every descriptor of the name, of every kind", async () => {
    const path = join(folder, "several.sock");
    const sockets = [hold({ path }), hold(), hold()];
    const program = startAdopted(`${SERVER} server.listen(3000, () => console.log(server.address()));`, {
      sockets: { http: sockets },
      map: "http=3000",
    });
    await program.printed(path);
    assert.equal(await ask(path), "adopted");
    for (const socket of sockets.slice(1)) assert.equal(await ask(socket), "adopted");
    assert.deepEqual(await stop(program), { code: 0, stdout: `${path}\n`, stderr: "" });
  });

  it("tells the path of a unix socket, until it is closed", async () => {
    for (const [path, shown] of [
      [join(folder, "path.sock"), join(folder, "path.sock")],
      ["@rouse-test-adopted", "\0rouse-test-adopted"],
    ] as const) {
      const { stdout } = await startAdopted(
        `${SERVER} server.listen(3000, () => {
           console.log(JSON.stringify(server.address()));
           server.close(() => console.log(server.address()));
         });`,
        { sockets: { http: hold({ path }) }, map: "http=3000" },
      ).ended;
      assert.equal(stdout, `${JSON.stringify(shown)}\nnull\n`);
    }
  });

  it("is told what Node tells of a second listen", async () => {
    const { stdout } = await startAdopted(
      `const server = net.createServer().listen(3000);
       try { server.listen(3000) } catch (error) { console.log(error.code) }
       const other = net.createServer().listen(3000, "127.0.0.1");
       other.on("error", ({ code, syscall, port, address, errno }) => {
         console.log(code, syscall, port, address, errno < 0);
         process.exit();
       });`,
      { sockets: { http: hold() }, map: "http=3000" },
    ).ended;
    assert.equal(stdout, "ERR_SERVER_ALREADY_LISTEN\nEADDRINUSE listen 3000 127.0.0.1 true\n");
  });

  it("may be closed and listened on again, as those do who try a port first", async () => {
    const sockets = [hold(), hold()];
    const program = startAdopted(
      `const isFree = (port, host) => new Promise((resolve, reject) => {
         const probe = net.createServer().on("error", reject);
         probe.listen(port, host, () => probe.close(() => resolve(true)));
       });
       for (const host of [undefined, "127.0.0.1", "localhost"]) console.log(await isFree(3000, host));
       ${SERVER} server.listen(3000, () => {
         console.log(server.address().port === ${sockets[0]!.port});
         server.close();
         server.listen(3000, () => console.log("again", server.address().port === ${sockets[0]!.port}));
       });`,
      { sockets: { http: sockets }, map: "http=3000" },
    );
    await program.printed("again");
    for (const socket of sockets) assert.equal(await ask(socket), "adopted");
    const { code, stdout, stderr } = await stop(program);
    assert.deepEqual([code, stdout, stderr], [0, "true\ntrue\ntrue\ntrue\nagain true\n", ""]);
  });

  it("does not show its socket to children", async () => {
    const source = `import { spawnSync } from "node:child_process";
      ${SERVER} server.listen(3000, () => {
        const { stdout } = spawnSync("ls", ["-l", "/proc/self/fd"], { stdio: ["ignore", "pipe", "ignore"] });
        console.log(String(stdout).match(/ 0 -> .*/)[0], String(stdout).match(/ ([3-9]|\\d\\d) -> socket.*/));
        process.exit();
      });`;
    const { stdout } = await startAdopted(source, { sockets: { http: hold() }, map: "http=3000" }).ended;
    assert.equal(stdout, " 0 -> /dev/null null\n");
  });

  it("ends the program, as ever, where nobody hears its error", async () => {
    const { code, stderr } = await startAdopted(`net.createServer().listen(3000); net.createServer().listen(3000);`, {
      sockets: { http: hold() },
      map: "http=3000",
    }).ended;
    assert.equal(code, 1);
    assert.match(stderr, /Error: listen EADDRINUSE: address already in use :::3000\./);
  });

  it("is net, too", async () => {
    const socket = hold();
    const program = startAdopted(
      `net.createServer((socket) => socket.end("plain")).listen(3000, () => console.log("up"));`,
      {
        sockets: { http: socket },
        map: "http=3000",
      },
    );
    await program.printed("up");
    assert.equal(await text(connect(socket.port, "127.0.0.1")), "plain");
    assert.equal((await stop(program)).code, 0);
  });
});

describe("datagrams", () => {
  const ECHO = `const socket = dgram.createSocket("udp4");
    socket.on("message", (message, from) => socket.send("echo " + message, from.port, from.address)); `;
  const forms: Record<string, [call: string, map?: string]> = {
    "port and callback": ["bind(8125, done)", "stats=udp:8125"],
    "port, address and callback": [`bind(8125, "0.0.0.0", done)`, "stats=udp:127.0.0.1:8125 stats=udp:0.0.0.0:8125"],
    options: [`bind({ port: 8125, address: "127.0.0.1", exclusive: true }, done)`, "stats=udp:8125"],
    "an event that is waited for later": [`bind(8125); socket.on("listening", done)`, "stats=udp:8125"],
    "the only socket": ["bind(8125, done)"],
  };
  for (const [title, [call, map]] of Object.entries(forms)) {
    it(`bind with ${title}`, async () => {
      const socket = hold({ type: "datagram" });
      const source = `${ECHO} const done = () => console.log("bound " + socket.address().port); socket.${call};`;
      const program = startAdopted(source, { sockets: { stats: socket }, ...(map && { map }) });
      await program.printed("bound");
      const client = createSocket("udp4");
      client.send("hello", socket.port, "127.0.0.1");
      assert.equal(String((await once(client, "message"))[0]), "echo hello");
      client.close();
      assert.deepEqual(await stop(program), { code: 0, stdout: `bound ${socket.port}\n`, stderr: "" });
    });
  }

  it("are sent before the socket is bound, too, and other ports are left alone", async () => {
    const socket = hold({ type: "datagram" });
    const peer = createSocket("udp4").bind(0, "127.0.0.1");
    await once(peer, "listening");
    const program = startAdopted(
      `const socket = dgram.createSocket("udp4").bind(8125);
       socket.send("early", ${peer.address().port}, "127.0.0.1");
       try { socket.bind(8125) } catch (error) { console.log(error.code) }
       const other = dgram.createSocket("udp4").bind(0, () => { console.log(other.address().port !== ${socket.port}); other.close(); });`,
      { sockets: { stats: socket }, map: "stats=udp:8125" },
    );
    const [message, from] = await once(peer, "message");
    assert.deepEqual([String(message), from.port], ["early", socket.port]);
    peer.close();
    await program.printed("true");
    assert.equal((await stop(program)).stdout, "ERR_SOCKET_ALREADY_BOUND\ntrue\n");
  });
});

describe("other calls", () => {
  it("are untouched, and where the system refuses them the error says why", async () => {
    const { stdout } = await startAdopted(
      `const socket = net.createServer();
       socket.on("error", (error) => { console.log(error.code, error.message); console.log(error.stack.includes(error.message)); process.exit() });
       socket.listen("/proc/refused.sock");`,
      { sockets: { http: hold() }, map: "http=3000" },
    ).ended;
    const [message, inStack] = stdout.split("\n");
    assert.match(
      message!,
      /^EACCES listen EACCES: permission denied \/proc\/refused\.sock\. This address is not adopted.*; passed: "http" descriptor 3 127\.0\.0\.1:\d+; mapped: http=3000\. To adopt unix:\/proc\/refused\.sock, /,
    );
    assert.equal(inStack, "true");
  });

  it("fail as ever where nobody hears the error", async () => {
    const { code, stderr } = await startAdopted(`net.createServer().listen("/proc/refused.sock");`, {
      sockets: { http: hold() },
      map: "http=3000",
    }).ended;
    assert.equal(code, 1);
    assert.match(stderr, /Error: listen EACCES: permission denied \/proc\/refused\.sock\. This address is not adopted/);
  });

  it("throw as ever where their arguments are wrong", async () => {
    const { stdout } = await startAdopted(
      `for (const args of [[70000], [{}], [""], ["3000", "localhost", 1, 2].slice(0, 0).concat({ port: "x" })])
         try { net.createServer().listen(...args); } catch (error) { console.log(error.code) }
       process.exit();`,
      { sockets: { http: hold() }, map: "http=3000" },
    ).ended;
    assert.equal(stdout, "ERR_SOCKET_BAD_PORT\nERR_INVALID_ARG_VALUE\nERR_SOCKET_BAD_PORT\nERR_SOCKET_BAD_PORT\n");
  });
});

describe("copies of the program", () => {
  /** Serves "main" in the one, and "copy" in the other. */
  const program = (isMain: string, copy: string, port: number, file: string): string => {
    writeFileSync(
      join(folder, file),
      `const { createServer } = require("node:http");
       const serve = (text) => createServer((request, response) => response.end(text)).listen(${port}, () => console.log(text + " is up"));
       if (!${isMain}) serve("copy");
       else ${copy};`,
    );
    return join(folder, file);
  };
  const sparePort = (): number => {
    const socket = holdSocket();
    socket.close();
    return socket.port;
  };

  it("in worker threads listen on their own", async () => {
    const [port, socket] = [sparePort(), hold()];
    const { isMain, copy } = {
      isMain: `require("node:worker_threads").isMainThread`,
      copy: `serve("main").on("listening", () => new (require("node:worker_threads").Worker)(__filename))`,
    };
    const file = program(isMain, copy, port, "threads.cjs");
    const running = startAdoptedNode([file], { sockets: { http: socket }, map: `http=${port}` });
    await running.printed("copy is up");
    assert.deepEqual([await ask(socket), await ask(port)], ["main", "copy"]);
    assert.equal((await stop(running)).code, 0);
  });

  it("in cluster workers listen on their own, and a warning says what to do instead", async () => {
    const port = sparePort();
    const file = program(
      `require("node:cluster").isPrimary`,
      `{ const worker = require("node:cluster").fork(); process.on("SIGTERM", () => { worker.kill("SIGKILL"); process.exit(); }); }`,
      port,
      "cluster.cjs",
    );
    const running = startAdoptedNode([file], { sockets: { http: hold() }, map: `http=${port}` });
    await running.printed("copy is up");
    assert.equal(await ask(port), "copy");
    const { stderr } = await stop(running);
    assert.match(
      stderr,
      /^cluster\.cjs: warning: "http" is not adopted: node:cluster binds its ports itself\.[^\n]*\n$/,
    );
  });
});

describe("where no socket was passed", () => {
  const UNTOUCHED = `console.log(process.listenerCount("SIGTERM"), process.listenerCount("SIGHUP"));
    for (const call of [net.Server.prototype.listen, net.Server.prototype.address, dgram.Socket.prototype.bind])
      console.log(/adoption\\./.test(call));`;

  it("nothing is changed", async () => {
    const { stdout, stderr } = await startAdopted(UNTOUCHED, { map: "http=3000" }).ended;
    assert.deepEqual([stdout, stderr], ["0 0\nfalse\nfalse\nfalse\n", ""]);
  });

  it("nothing is changed where they are another process's, but a warning", async () => {
    for (const map of [undefined, "http=3000"]) {
      const env = { LISTEN_FDS: "1", LISTEN_PID: "1" };
      const { stdout, stderr } = await startAdopted(UNTOUCHED, { env, ...(map && { map }) }).ended;
      assert.equal(stdout, "0 0\nfalse\nfalse\nfalse\n");
      assert.match(stderr, /^\S+: warning: LISTEN_FDS is not for this process[^\n]+\n$/);
    }
  });
});
