import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ask, hold, SERVER, startAdopted, stop } from "./adopted.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-adopt-listen-"));
after(() => rmSync(folder, { recursive: true }));

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

  it("closes at an abort signal, of now or of before", async () => {
    for (const [before, later] of [
      ["", "control.abort()"],
      ["control.abort();", ""],
    ]) {
      const program = startAdopted(
        `const control = new AbortController(); ${before}
         ${SERVER} server.listen({ port: 3000, signal: control.signal }, () => { ${later} });
         server.on("close", () => console.log("closed"));`,
        { sockets: { http: hold() }, map: "http=3000" },
      );
      assert.equal((await program.ended).stdout, "closed\n");
    }
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
