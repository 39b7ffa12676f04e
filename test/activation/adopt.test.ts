import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { ask, hold, SERVER, startAdopted, stop } from "./adopted.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-adopt-server-"));
after(() => rmSync(folder, { recursive: true }));

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

  it("is one per connection, where the one connection is what was passed", async () => {
    const path = join(folder, "manager.sock");
    const manager = createServer().listen(path);
    await once(manager, "listening");
    const passed = hold({ to: path });
    const [client] = (await once(manager, "connection")) as [Socket];
    manager.close();
    const program = startAdopted(`${SERVER} server.listen(3000, () => console.log("up"));`, {
      sockets: { connection: passed },
    });
    client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(await text(client), /^HTTP\/1\.1 200 OK.*adopted/s);
    const { code, stdout } = await program.ended;
    assert.deepEqual([code, stdout], [0, "up\n"]);
  });
});
