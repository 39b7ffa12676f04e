import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { type Program, runProgram, startProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-bind-"));
after(() => rmSync(folder, { recursive: true }));

const listen = (address: unknown) => `const activation = activate({ fallback: { http: ${JSON.stringify(address)} } });
  const server = http.createServer((request, response) => response.end(activation.source));
  await activation.listen(server, "http");
  console.log("listening", server.address().port + ";");`;

/** What the program says in "port=8080;". */
async function portOf(program: Program): Promise<number> {
  let output = "";
  program.child.stdout!.on("data", (data) => {
    output += data;
  });
  await program.printed(";");
  return Number(/port=(\d+);/.exec(output)![1]);
}

describe("the fallback", () => {
  it("is bound where nothing was passed, each address of a name on the one server", async () => {
    const path = join(folder, "two.sock");
    const program = startProgram(listen(["127.0.0.1:0", `unix:${path}`]));
    let output = "";
    program.child.stdout!.on("data", (data) => {
      output += data;
    });
    await program.printed(";");
    const port = /listening (\d+);/.exec(output)![1];
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "bind");
    const [response] = await once(get({ socketPath: path, path: "/", agent: false }), "response");
    assert.equal(await text(response), "bind");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
    assert.equal(existsSync(path), false, "the file that we made is gone");
  });

  it("is bound for two names of one server, which fail each by itself", async () => {
    const taken = holdSocket();
    const program = startProgram(
      `const activation = activate({ fallback: { a: "127.0.0.1:0", b: "127.0.0.1:${taken.port}" } });
       const server = http.createServer((request, response) => response.end("a"));
       await activation.listen(server, "a");
       await activation.listen(server, "b").catch((error) => console.log(error.code));
       console.log("port=" + server.address()?.port + ";");`,
    );
    assert.equal(await (await fetch(`http://127.0.0.1:${await portOf(program)}/`)).text(), "a");
    program.child.kill();
    const { code, stdout } = await program.ended;
    assert.equal(code, 0);
    assert.match(stdout, /^address-in-use\n/);
    taken.close();
  });

  it("is bound for two names of one server at once, both until the end", async () => {
    const { stdout } = await runProgram(
      `const activation = activate({ fallback: { a: "127.0.0.1:0", b: "127.0.0.1:0" } });
       const server = http.createServer();
       await Promise.all(["a", "b"].map((name) => activation.listen(server, name)));
       const count = () => process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
       console.log(count());
       await activation.drain();
       await new Promise((resolve) => setTimeout(resolve, 50));
       console.log(count());`,
    );
    assert.equal(stdout, "2\n0\n");
  });

  it("tells what will be bound, without a descriptor", async () => {
    const { stdout } = await runProgram(
      `const { socket, sockets, source } = activate({ fallback: { a: "127.0.0.1:80", b: "unix:x", c: [1, "[::1]:2"] } });
       console.log(JSON.stringify([source, socket("a").listenArguments(), socket("b").listenArguments(),
         sockets("c").map((one) => one.listenArguments()), socket("a").fd ?? "none", sockets("d")]));`,
    );
    assert.deepEqual(JSON.parse(stdout), [
      "bind",
      [{ port: 80, host: "127.0.0.1" }, 4096],
      [{ path: "x" }, 4096],
      [
        [{ port: 1 }, 4096],
        [{ port: 2, host: "::1" }, 4096],
      ],
      "none",
      [],
    ]);
  });

  it("takes over a unix socket that nobody listens on", async () => {
    const path = join(folder, "stale.sock");
    const first = startProgram(listen(`unix:${path}`).replace("server.address().port", "1"));
    await first.printed("listening");
    first.child.kill("SIGKILL");
    await first.ended;
    assert.equal(existsSync(path), true);
    const second = startProgram(listen(`unix:${path}`).replace("server.address().port", "2"));
    await second.printed("listening 2");
    second.child.kill();
    assert.equal((await second.ended).code, 0);
  });

  it("can be tried again after it failed", async () => {
    const busy = holdSocket();
    const { stdout } = await runProgram(
      `const activation = activate({ fallback: { http: "127.0.0.1:${busy.port}" } });
       for (let i = 0; i < 2; i++) await activation.listen(http.createServer(), "http").catch((error) => console.log(error.code));`,
    );
    busy.close();
    assert.equal(stdout, "address-in-use\naddress-in-use\n");
  });
});

describe("a fallback that cannot be had", () => {
  const busy = holdSocket();
  const file = join(folder, "file.txt");
  const live = join(folder, "live.sock");
  const server = createServer((socket) => socket.destroy());
  after(() => {
    busy.close();
    server.close();
  });

  const cases: [title: string, address: unknown, message: () => RegExp][] = [
    [
      "a port in use",
      `127.0.0.1:${busy.port}`,
      () => new RegExp(`cannot listen on "http" 127.0.0.1:${busy.port}: listen EADDRINUSE.* Free it`),
    ],
    ["a unix socket in use", `unix:${live}`, () => /cannot listen on "http" unix:.*live\.sock: listen EADDRINUSE/],
    ["a path that is a file", `unix:${file}`, () => /cannot listen on "http" unix:.*file\.txt: listen EADDRINUSE/],
    [
      "a place where nobody may write",
      "unix:/proc/rouse.sock",
      () => /listen EACCES: permission denied.* Give a port from 1024 on/,
    ],
    ["an address of another machine", "192.0.2.1:0", () => /listen EADDRNOTAVAIL.* Give another address/],
    ["no address", "localhost:80", () => /fallback "http": "localhost" is no IP address: write PORT/],
    ["a datagram address", "udp:80", () => /"http" udp:80 is a udp socket, not a stream. Serve it with dgram/],
  ];
  for (const [title, address, message] of cases) {
    it(`says so: ${title}`, async () => {
      writeFileSync(file, "precious");
      if (!server.listening) await once(server.listen(live), "listening");
      const { code, stdout, stderr } = await runProgram(listen(address));
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, /^node: [^\n]+\n$/);
      assert.match(stderr, message());
      assert.equal(readFileSync(file, "utf8"), "precious");
    });
  }

  it("closes the addresses that could be had", async () => {
    const { stdout } = await runProgram(
      `const activation = activate({ fallback: { http: ["127.0.0.1:0", "127.0.0.1:${busy.port}"] }, signals: [] });
       const server = http.createServer();
       await activation.listen(server, "http").catch((error) => console.log(error.code, server.listening));`,
    );
    assert.equal(stdout, "address-in-use false\n"); // And the program ends, because nothing listens.
  });
});
