import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { ask, hold, SERVER, startAdopted, stop } from "./adopted.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-adopt-rules-"));
after(() => rmSync(folder, { recursive: true }));

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
