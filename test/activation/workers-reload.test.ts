import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { receiveDatagram } from "../helpers/passed-socket.ts";
import { waitFor } from "../system/wait.ts";
import { hold } from "./hold.ts";
import { ask, isAlive, server, startLoad, startSupervised } from "./supervised.ts";

let number = 0;

/** Stands for systemd: gives what is said to it, in order. */
function manager() {
  const NOTIFY_SOCKET = `@rouse-reload-${process.pid}-${number++}`;
  const socket = hold({ path: NOTIFY_SOCKET, type: "datagram" });
  const heard = async (what: RegExp) => {
    const said: string[] = [];
    await waitFor(String(what), async () => {
      for (let text = receiveDatagram(socket); text !== undefined; text = receiveDatagram(socket)) {
        said.push(text);
        if (what.test(text)) return true;
      }
      return false;
    });
    return said;
  };
  return { env: { NOTIFY_SOCKET }, heard };
}

const READY = /^READY=1\n/;

describe("a reload", () => {
  it("starts the version on disk, and loses no request of the one before", async (t) => {
    const [http, { env, heard }] = [hold(), manager()];
    const program = startSupervised(t, server("1"), { sockets: { http }, env });
    await heard(READY);
    const load = startLoad(t, http.port);
    for (let version = 2; version < 6; version++) {
      program.replace(server(String(version)));
      const before = program.workers();
      program.child.kill("SIGHUP");
      const said = await heard(READY);
      assert.match(
        said[0]!,
        /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=2 of 2 workers serve; the version on disk starts$/,
      );
      assert.equal(said.at(-1), "READY=1\nSTATUS=2 of 2 workers serve");
      // The old ones answer nothing new once they have ended.
      await waitFor("the old workers end", async () => !before.some(isAlive));
      assert.match(await ask(http.port), new RegExp(` ${version}$`));
    }
    const { answers, failures } = await load.stop();
    assert.deepEqual(failures, []);
    assert.deepEqual([...new Set(answers.map((answer) => answer.split(" ")[1]))].sort(), ["1", "2", "3", "4", "5"]);
    assert.equal(program.workers().length, 2);
  });

  it("makes nobody wait for a request that takes long, and answers that too", async (t) => {
    const [http, { env, heard }] = [hold(), manager()];
    const program = startSupervised(t, server("1"), { sockets: { http }, env });
    await heard(READY);
    const agent = new Agent({ keepAlive: true });
    const slow = Array.from({ length: 4 }, () => ask(http.port, "/?4000", agent));
    let isAnswered = false;
    for (const one of slow) one.then(() => (isAnswered = true));
    await sleep(200);
    program.replace(server("2"));
    program.child.kill("SIGHUP");
    await heard(READY);
    while (!(await ask(http.port)).endsWith(" 2"));
    for (let count = 0; count < 50; count++) assert.match(await ask(http.port), / 2$/);
    assert.equal(isAnswered, false);
    for (const answer of await Promise.all(slow)) assert.match(answer, / 1$/);
    agent.destroy();
    await waitFor("the old workers end", async () => program.workers().length === 2);
  });

  const bad = {
    "ends at its start": [`console.error("bad"); process.exit(9);`, /worker \d+ ended with exit code 9/],
    "cannot be parsed": ["this is no program", /worker \d+ ended with exit code 1/],
    "has one worker that does not get ready": [
      `await supervise({ workers: 2 }, async () => {
         const activation = activate({ fallback: { http: 0 } });
         fs.appendFileSync(import.meta.filename + ".count", "x");
         if (fs.readFileSync(import.meta.filename + ".count", "utf8").length === 2) process.exit(8);
         await activation.listen(http.createServer((request, response) => response.end("bad")), "http");
       });`,
      /worker \d+ ended with exit code 8/,
    ],
  } as const;
  for (const [what, [script, why]] of Object.entries(bad)) {
    it(`to a version that ${what} leaves the one before serving, and says so`, async (t) => {
      const [http, { env, heard }] = [hold(), manager()];
      const program = startSupervised(t, server("1"), { sockets: { http }, env });
      await heard(READY);
      const before = program.workers();
      const load = startLoad(t, http.port);
      program.replace(script);
      program.child.kill("SIGHUP");
      const last = (await heard(READY)).at(-1)!;
      const text = new RegExp(`reload failed: ${why.source}; the version before goes on serving`);
      assert.match(last, new RegExp(`^READY=1\nSTATUS=2 of 2 workers serve; ${text.source}$`));
      assert.deepEqual((await load.stop()).failures, []);
      await waitFor("only the workers before", async () => program.workers().join() === before.join());
      program.replace(server("3"));
      program.child.kill("SIGHUP");
      await heard(READY);
      await waitFor("the new version", async () => (await ask(http.port)).endsWith(" 3"));
      program.child.kill();
      const { code, stderr } = await program.ended;
      assert.equal(code, 0);
      assert.match(stderr, new RegExp(`warning: ${text.source}\n`));
    });
  }

  it("during a reload starts what is on disk by then, however long the first would take", async (t) => {
    const [http, { env, heard }] = [hold(), manager()];
    const program = startSupervised(t, server("1"), { sockets: { http }, env });
    await heard(READY);
    const load = startLoad(t, http.port);
    program.replace(`console.log("waits"); setInterval(() => {}, 1000);`);
    program.child.kill("SIGHUP");
    await program.printed("waits");
    program.replace(server("3"));
    program.child.kill("SIGHUP");
    const said = await heard(READY);
    assert.equal(said.filter((text) => text.startsWith("RELOADING=1")).length, 2);
    await waitFor("the old workers end", async () => program.workers().length === 2);
    assert.match(await ask(http.port), / 3$/);
    const { answers, failures } = await load.stop();
    assert.deepEqual(failures, []);
    assert.ok(answers.some((answer) => answer.endsWith(" 1")));
  });

  it("before the service is ready comes after that", async (t) => {
    const [http, { env, heard }] = [hold(), manager()];
    const program = startSupervised(t, server("1"), { sockets: { http }, env });
    await program.printed("worker"); // The first of two.
    program.replace(server("2"));
    program.child.kill("SIGHUP");
    assert.doesNotMatch((await heard(READY)).join(), /RELOADING/);
    assert.match((await heard(READY)).join(), /RELOADING/);
    await waitFor("the new version", async () => (await ask(http.port)).endsWith(" 2"));
  });

  it("does not keep a service that is told to stop, and what is in flight is answered", async (t) => {
    const [http, { env, heard }] = [hold(), manager()];
    const program = startSupervised(t, server("1"), { sockets: { http }, env });
    await heard(READY);
    const answers = Array.from({ length: 10 }, () => ask(http.port, "/?1000"));
    await sleep(300);
    program.replace(`console.log("waits"); setInterval(() => {}, 1000);`);
    program.child.kill("SIGHUP");
    await program.printed("waits");
    program.child.kill("SIGTERM");
    await Promise.all(answers);
    const { code, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(program.workers(), []);
  });

  it("while a worker crashes keeps the service whole", async (t) => {
    const [http, { env, heard }] = [hold(), manager()];
    const program = startSupervised(t, server("1"), { sockets: { http }, env });
    await heard(READY);
    program.replace(`console.log("waits"); setTimeout(() => process.exit(2), 3000);`);
    program.child.kill("SIGHUP");
    await program.printed("waits");
    await assert.rejects(ask(http.port, "/crash"));
    program.replace(server("1b"));
    for (let count = 0; count < 10; count++) await ask(http.port);
    assert.match((await heard(READY)).at(-1)!, /reload failed/);
    await waitFor("two workers", async () => program.workers().length === 2);
    await waitFor("the one in its place", async () => (await ask(http.port)).endsWith(" 1b"));
  });
});
