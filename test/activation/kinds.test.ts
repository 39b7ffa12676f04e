import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type HeldSocketOptions, holdSocket } from "../helpers/passed-socket.ts";
import { runProgram, startProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-kinds-"));
after(() => rmSync(folder, { recursive: true }));

/** One datagram there and its answer. */
async function ask(port: number, text: string): Promise<string> {
  const client = createSocket("udp4");
  client.send(text, port, "127.0.0.1");
  try {
    const [answer] = (await once(client, "message", { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    return answer.toString();
  } finally {
    client.close();
  }
}

const ECHO = `
  const activation = activate({ fallback: { stats: "udp:127.0.0.1:0" } });
  const socket = dgram.createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send("echo " + message, port, address));
  await activation.listen(socket, "stats");
  console.log("port", socket.address().port, activation.source);`;

describe("datagram sockets", () => {
  it("serves one that was passed, and leaves what waits in it to the next process", async () => {
    const passed = holdSocket({ type: "datagram" });
    const program = startProgram(ECHO, { sockets: { stats: passed } });
    await program.printed(`port ${passed.port} systemd`);
    assert.equal(await ask(passed.port, "one"), "echo one");
    program.child.kill();
    assert.equal((await program.ended).code, 0);

    const late = ask(passed.port, "two");
    const next = startProgram(ECHO, { sockets: { stats: passed } });
    assert.equal(await late, "echo two");
    next.child.kill();
    assert.equal((await next.ended).code, 0);
    passed.close();
  });

  it("binds one of the fallback", async () => {
    const program = startProgram(`${ECHO} console.log("done")`);
    await program.printed("done");
    program.child.kill();
    const { code, stdout } = await program.ended;
    assert.equal(code, 0);
    assert.match(stdout, /^port [1-9]\d* bind/);
  });

  it("answers what it has received before it ends", async () => {
    const passed = holdSocket({ type: "datagram" });
    const program = startProgram(
      `const activation = activate({ fallback: { stats: 0 } });
       const socket = dgram.createSocket("udp4");
       socket.on("message", async (message, { port, address }) => {
         console.log("received"); await new Promise((resolve) => setTimeout(resolve, 40)); socket.send("late", port, address); });
       await activation.listen(socket, "stats"); console.log("listening")`,
      { sockets: { stats: passed } },
    );
    await program.printed("listening");
    const answer = ask(passed.port, "one");
    await program.printed("received");
    program.child.kill();
    assert.equal(await answer, "late");
    assert.equal((await program.ended).code, 0);
    passed.close();
  });

  it("is silent towards a program that answers after the end", async () => {
    const passed = holdSocket({ type: "datagram" });
    const program = startProgram(
      `const activation = activate({ fallback: { stats: 0 } });
       const socket = dgram.createSocket("udp4");
       socket.on("message", (message, { port, address }) => { console.log("received");
         setTimeout(() => socket.send("late", port, address, (error) => console.log("told", error.message)), 400); });
       await activation.listen(socket, "stats"); console.log("listening");
       process.on("SIGTERM", async () => { await activation.drain(); });`,
      { sockets: { stats: passed } },
    );
    await program.printed("listening");
    const client = createSocket("udp4");
    client.send("one", passed.port, "127.0.0.1", () => client.close());
    await program.printed("received");
    program.child.kill();
    const { code, stdout } = await program.ended;
    assert.equal(code, 0);
    assert.match(stdout, /told the socket has been closed/);
    passed.close();
  });

  it("refuses the other IP version, of which Node would send no answer", async () => {
    const passed = holdSocket({ type: "datagram", host: "::1" });
    const { code, stderr } = await runProgram(ECHO, { sockets: { stats: passed } });
    assert.equal(code, 1);
    assert.match(stderr, /"stats" descriptor 3 udp:\[::1\]:\d+ is an ipv6 datagram socket, and .* udp4.*udp6/);
    passed.close();
  });

  it("serves several of one name each by a socket of its own", async () => {
    const passed = [holdSocket({ type: "datagram" }), holdSocket({ type: "datagram" })] as const;
    const program = startProgram(
      `const activation = activate({ fallback: { stats: 0 } });
       await activation.listen(dgram.createSocket("udp4"), "stats").catch((error) => console.log(error.code));
       for (const one of activation.sockets("stats")) {
         const socket = dgram.createSocket("udp4");
         socket.on("message", (message, { port, address }) => socket.send("echo " + message, port, address));
         await activation.listen(socket, one);
       }
       console.log("listening")`,
      { sockets: { stats: passed } },
    );
    await program.printed("listening");
    assert.deepEqual([await ask(passed[0].port, "a"), await ask(passed[1].port, "b")], ["echo a", "echo b"]);
    program.child.kill();
    const { code, stdout } = await program.ended;
    assert.equal(code, 0);
    assert.match(stdout, /^several-sockets\n/);
    for (const socket of passed) socket.close();
  });
});

describe("a FIFO", () => {
  it("is read, and what comes after the end is the next process's", async () => {
    const path = join(folder, "events");
    execFileSync("mkfifo", [path]);
    // As systemd opens it: for reading and writing, so that there is no end of file.
    const passed = { fd: openSync(path, "r+"), port: 0, close() {} };
    const source = `const activation = activate({ fallback: { events: 0 } });
      activation.fifo("events").on("data", (data) => process.stdout.write("got " + data)); console.log("reading")`;
    const program = startProgram(source, { sockets: { events: passed } });
    await program.printed("reading");
    writeSync(passed.fd, "first\n");
    await program.printed("got first");
    program.child.kill();
    assert.equal((await program.ended).code, 0);

    writeSync(passed.fd, "second\n");
    const next = startProgram(source, { sockets: { events: passed } });
    await next.printed("got second");
    next.child.kill();
    assert.equal((await next.ended).code, 0);
    closeSync(passed.fd);
  });

  const readers = {
    "for await": `for await (const data of fifo) await take(data);`,
    "data events": `fifo.on("data", async (data) => { fifo.pause(); await take(data); fifo.resume(); });`,
  };
  for (const [title, reader] of Object.entries(readers)) {
    it(`gives a slow program what was read already, before the end: ${title}`, async () => {
      const path = join(folder, title);
      execFileSync("mkfifo", [path]);
      const passed = { fd: openSync(path, "r+"), port: 0, close() {} };
      const program = startProgram(
        `const fifo = activate().fifo("events"); console.log("reading");
         const take = async (data) => { console.log("got " + data); await new Promise((resolve) => setTimeout(resolve, 300)); };
         ${reader}`,
        { sockets: { events: passed } },
      );
      await program.printed("reading");
      writeSync(passed.fd, "first");
      await program.printed("got first");
      writeSync(passed.fd, "second");
      await new Promise((resolve) => setTimeout(resolve, 100));
      program.child.kill();
      const { code, stdout, stderr } = await program.ended;
      assert.deepEqual([code, stdout, stderr], [0, "reading\ngot first\ngot second\n", ""]);
      closeSync(passed.fd);
    });
  }

  it("keeps a program that does not read it no longer than that", async () => {
    const path = join(folder, "unread");
    execFileSync("mkfifo", [path]);
    const passed = { fd: openSync(path, "r+"), port: 0, close() {} };
    writeSync(passed.fd, "x");
    const { code, stdout } = await runProgram(
      `const activation = activate(); activation.fifo("events");
       await new Promise((resolve) => setTimeout(resolve, 50));
       const begin = performance.now(); await activation.drain(); console.log(performance.now() - begin < 5000);`,
      { sockets: { events: passed } },
    );
    assert.deepEqual([code, stdout], [0, "true\n"]);
    closeSync(passed.fd);
  });

  it("is refused for a server, and a stream socket for fifo", async () => {
    const path = join(folder, "other");
    execFileSync("mkfifo", [path]);
    const [fifo, stream] = [{ fd: openSync(path, "r+"), port: 0, close() {} }, holdSocket()];
    const { stdout } = await runProgram(
      `const activation = activate({ fallback: { events: 0, http: 0 } });
       await activation.listen(http.createServer(), "events").catch((error) => console.log(error.message));
       try { activation.fifo("http") } catch (error) { console.log(error.message) }`,
      { sockets: { events: fifo, http: stream } },
    );
    const [forServer, forFifo] = stdout.split("\n");
    assert.equal(forServer, '"events" descriptor 3 is a FIFO, not a stream. Read it with activation.fifo(name).');
    assert.match(
      forFifo!,
      /^"http" descriptor 4 127.* is an ipv4 stream socket, not a fifo. Serve it with a net, http/,
    );
    closeSync(fifo.fd);
    stream.close();
  });
});

describe("what a passed descriptor is", () => {
  async function describeSocket(options: HeldSocketOptions): Promise<string> {
    const passed = holdSocket(options);
    const { stdout } = await runProgram(
      `const { type, family, role, address } = activate({ fallback: { it: 0 } }).socket("it");
       console.log([type, family, role, address && (address.path ?? address.type)].join(" "));
       process.exit()`,
      { sockets: { it: passed } },
    );
    passed.close();
    return stdout.trim();
  }
  const path = join(folder, "stream.sock");
  const kinds: [HeldSocketOptions, string][] = [
    [{}, "stream ipv4 listener tcp"],
    [{ host: "::1" }, "stream ipv6 listener tcp"],
    [{ path }, `stream unix listener ${path}`],
    [{ path: "@rouse-kinds-test" }, "stream unix listener @rouse-kinds-test"],
    [{ type: "datagram" }, "datagram ipv4 listener udp"],
    [{ type: "datagram", host: "::1" }, "datagram ipv6 listener udp"],
    [{ path: join(folder, "datagram.sock"), type: "datagram" }, `other unix listener ${join(folder, "datagram.sock")}`],
  ];
  for (const [options, expected] of kinds) {
    it(`is told: ${expected.replace(folder, "")}`, async () => assert.equal(await describeSocket(options), expected));
  }

  it("is refused where Node cannot serve it", async () => {
    const passed = holdSocket({ path: join(folder, "refused.sock"), type: "datagram" });
    const { code, stderr } = await runProgram(
      'await activate({ fallback: { log: 0 } }).listen(dgram.createSocket("udp4"), "log");',
      { sockets: { log: passed } },
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /"log" descriptor 3 unix:.* is a unix datagram socket, which Node cannot serve\. Pass TCP, UDP/,
    );
    passed.close();
  });

  it("may be a file (OpenFile=), which is the program's own to read and keeps nobody from being ready", async () => {
    const file = join(folder, "opened");
    writeFileSync(file, "content");
    const [passed, http] = [{ fd: openSync(file, "r"), port: 0, close() {} }, holdSocket()];
    const { stdout, stderr } = await runProgram(
      `const activation = activate({ fallback: { http: 0, data: 0 } });
       const socket = activation.socket("data");
       console.log(socket.type, socket.role, fs.readFileSync(socket.fd, "utf8"));
       await activation.listen(http.createServer(), "http");
       setTimeout(() => process.exit(), 100)`,
      { sockets: { data: passed, http }, env: { ROUSE_DEBUG: "activation", NOTIFY_SOCKET: "@nobody" } },
    );
    assert.equal(stdout, "other undefined content\n");
    assert.match(stderr, /READY=1/);
    closeSync(passed.fd);
    http.close();
  });
});
