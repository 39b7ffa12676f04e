import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { connectedPair, holdSocket } from "../helpers/passed-socket.ts";
import { type Program, type ProgramOptions, runProgram, startProgram } from "./program.ts";

const SERVER = `
  const activation = activate({ fallback: { http: 0 }, accept: "connection" });
  const server = http.createServer((request, response) => response.end(activation.source + " " + request.url));
  await activation.listen(server, "http");
  server.keepAliveTimeout = 20_000;
  console.log("serving");`;

/** Starts it with one connection; the program's copy of the descriptor is the only one left. */
async function connected(
  source: string,
  options: (passed: { fd: number; port: number; close(): void }) => ProgramOptions,
): Promise<[Program, Socket]> {
  const { passed, client } = await connectedPair();
  const program = startProgram(source, options(passed));
  passed.close();
  return [program, client];
}

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

describe("one process per connection", () => {
  it("serves the one connection with an unchanged server, and ends with 0 after it", async () => {
    const [program, client] = await connected(SERVER, (passed) => ({ sockets: { connection: passed } }));
    client.write(get("/first"));
    const [first] = (await once(client, "data")) as [Buffer];
    assert.match(first.toString(), /200 OK[\s\S]*systemd \/first/);
    client.end(get("/second", "Connection: close\r\n"));
    assert.match(await text(client), /systemd \/second$/);
    assert.equal((await program.ended).code, 0);
  });

  it("finds it on descriptor 0, as inetd nowait gives it", async () => {
    const [program, client] = await connected(SERVER, (stdin) => ({ stdin }));
    client.end(get("/", "Connection: close\r\n"));
    assert.match(await text(client), /inetd \/$/);
    assert.equal((await program.ended).code, 0);
  });

  it("leaves a connected descriptor 0 alone where the program does not ask for it", async () => {
    const { passed, client } = await connectedPair();
    const { stdout } = await runProgram("console.log(activate({ fallback: { http: 0 } }).source)", { stdin: passed });
    assert.equal(stdout, "bind\n");
    passed.close();
    client.destroy();
  });

  it("ends although something else keeps the program alive", async () => {
    const [program, client] = await connected(`${SERVER} setInterval(() => {}, 1000);`, (passed) => ({
      sockets: { connection: passed },
    }));
    client.end(get("/", "Connection: close\r\n"));
    await text(client);
    assert.equal((await program.ended).code, 0);
  });

  it("ends an idle keep-alive connection at SIGTERM", async () => {
    const [program, client] = await connected(SERVER, (passed) => ({ sockets: { connection: passed } }));
    client.write(get("/"));
    await once(client, "data");
    const closed = once(client, "close");
    const began = performance.now();
    program.child.kill();
    await closed;
    // Far below keepAliveTimeout, after which Node would end it by itself.
    assert.ok(performance.now() - began < 3000);
    assert.equal((await program.ended).code, 0);
  });

  it("answers the request in flight at SIGTERM", async () => {
    const source = SERVER.replace("response.end(", "setTimeout(() => response.end('late'), 300, ");
    const [program, client] = await connected(source, (passed) => ({ sockets: { connection: passed } }));
    const answer = text(client);
    client.write(get("/"));
    await program.printed("serving");
    await new Promise((resolve) => setTimeout(resolve, 100));
    program.child.kill();
    assert.match(await answer, /Connection: close[\s\S]*late/);
    assert.equal((await program.ended).code, 0);
  });

  it("gives the connection itself, and who is at its other end", async () => {
    const [program, client] = await connected(
      `const activation = activate({ accept: "connection" });
       const { connection, peer } = activation;
       connection.end(JSON.stringify({ peer, remote: connection.remotePort, same: connection === activation.connection }));`,
      (passed) => ({ sockets: { connection: passed } }),
    );
    const { localPort } = client;
    const { peer, remote, same } = JSON.parse(await text(client));
    assert.deepEqual(peer, { address: "127.0.0.1", port: localPort });
    assert.equal(remote, localPort);
    assert.equal(same, true);
    assert.equal((await program.ended).code, 0);
  });

  it("lets a program that has the connection itself answer at SIGTERM", async () => {
    const [program, client] = await connected(
      `const { connection } = activate();
       connection.on("data", () => { console.log("asked"); setTimeout(() => connection.end("late"), 300); });`,
      (passed) => ({ sockets: { connection: passed } }),
    );
    client.write("x");
    await program.printed("asked");
    program.child.kill();
    assert.equal(await text(client), "late");
    assert.equal((await program.ended).code, 0);
  });

  it("destroys that connection at the deadline", async () => {
    const [program, client] = await connected(
      `const activation = activate(); activation.connection.write("hello");
       process.on("SIGTERM", async () => { await activation.drain({ deadline: 100 }); process.exit(7); });`,
      (passed) => ({ sockets: { connection: passed } }),
    );
    await once(client, "data");
    program.child.kill();
    assert.equal((await program.ended).code, 7);
    client.destroy();
  });

  for (const place of ["LISTEN_FDS", "standard input"]) {
    it(`is over at once where the client has gone already: ${place}`, async () => {
      const { passed, client } = await connectedPair();
      client.resetAndDestroy();
      await once(client, "close");
      const program = startProgram(SERVER.replace("fallback: { http: 0 }", 'fallback: { http: "127.0.0.1:0" }'), {
        ...(place === "LISTEN_FDS" ? { sockets: { connection: passed } } : { stdin: passed }),
      });
      passed.close();
      const { code, stderr } = await program.ended;
      assert.deepEqual([code, stderr], [0, ""]);
    });
  }

  it("writes the peer's address as Node does, where an IPv6 socket has an IPv4 client", async () => {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, "::");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [Socket & { readonly _handle: { readonly fd: number } }];
    const program = startProgram(
      `const { connection, peer } = activate({ accept: "connection" });
       connection.end(JSON.stringify([peer.address, connection.remoteAddress]));`,
      { stdin: socket._handle },
    );
    socket.destroy();
    assert.equal(await text(client), '["::ffff:127.0.0.1","::ffff:127.0.0.1"]');
    assert.equal((await program.ended).code, 0);
    server.close();
  });

  it("is none that a server has beside the sockets that listen, such as one of its store", async () => {
    const [{ passed, client }, http] = [await connectedPair(), holdSocket()];
    const program = startProgram(
      `const activation = activate({ fallback: { http: 0, client: 0 } });
       console.log(activation.connection, activation.peer);
       const server = net.createServer((socket) => socket.end("served"));
       await activation.listen(server, "http");
       await activation.listen(server, "client");
       console.log("up");`,
      { sockets: { http, client: passed } },
    );
    passed.close();
    await program.printed("undefined undefined\nup");
    client.end();
    assert.equal(await text(client), "served");
    assert.equal(await text(connect(http.port, "127.0.0.1")), "served");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
    http.close();
  });

  it("believes REMOTE_ADDR and REMOTE_PORT", async () => {
    const [program, client] = await connected(
      "const { connection, peer } = activate(); connection.end(JSON.stringify(peer));",
      (passed) => ({ sockets: { connection: passed }, env: { REMOTE_ADDR: "2001:db8::7", REMOTE_PORT: "4711" } }),
    );
    assert.equal(await text(client), '{"address":"2001:db8::7","port":4711}');
    assert.equal((await program.ended).code, 0);
  });

  it("has no connection and no peer where sockets listen", async () => {
    const { stdout } = await runProgram("const { connection, peer } = activate(); console.log(connection, peer)");
    assert.equal(stdout, "undefined undefined\n");
  });
});

describe("a program that knows only its standard streams", () => {
  it("needs nothing of ours", async () => {
    const { passed, client } = await connectedPair();
    const program = startProgram(
      `activate(); process.stdin.on("data", (data) => fs.writeSync(0, "echo " + data)); process.stdin.on("end", () => process.exit())`,
      { stdin: passed },
    );
    passed.close();
    client.end("hello");
    assert.equal(await text(client), "echo hello");
    assert.equal((await program.ended).code, 0);
  });
});
