import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { receiveDatagram } from "../helpers/passed-socket.ts";
import { waitFor } from "../system/wait.ts";
import { hold } from "./hold.ts";
import { ask, isAlive, server, startLoad, startSupervised } from "./supervised.ts";

describe("a worker that ends", () => {
  it("loses nothing but what it was answering itself, and is replaced", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one"), { sockets: { http } });
    await program.printed(" systemd ");
    const load = startLoad(t, http.port);
    const crashes = 5;
    for (let count = 0; count < crashes; count++) {
      await waitFor("two workers", async () => program.workers().length === 2);
      await sleep(300);
      await assert.rejects(ask(http.port, "/crash"), /socket hang up|ECONNRESET/);
    }
    await waitFor("two workers", async () => program.workers().length === 2);
    await sleep(500);
    const { answers, failures } = await load.stop();
    // Each client has one request at a time, and at most all of them were with the one that ended.
    assert.ok(failures.length <= crashes * 8, `${failures.length} failed`);
    assert.deepEqual(
      failures.filter((text) => !/socket hang up|ECONNRESET/.test(text)),
      [],
    );
    assert.ok(new Set(answers).size > crashes, `${new Set(answers).size} workers answered`);
    program.child.kill();
    const { code, stderr } = await program.ended;
    assert.equal(code, 0);
    assert.equal(
      stderr.match(/warning: worker \d+ ended with exit code 7; another one starts in 0\.\d s\n/g)?.length,
      crashes,
      stderr,
    );
  });

  it("is replaced after a while that doubles", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one", 1), { sockets: { http } });
    for (let count = 0; count < 4; count++) await assert.rejects(ask(http.port, "/crash"));
    await ask(http.port);
    program.child.kill();
    const { stderr } = await program.ended;
    assert.deepEqual(
      [...stderr.matchAll(/starts in (\S+) s/g)].map(([, seconds]) => seconds),
      ["0.1", "0.2", "0.4", "0.8"],
    );
  });

  it("by a signal is replaced, and by SIGTERM after it has answered", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one", 1), { sockets: { http } });
    await program.printed(" systemd ");
    const [first] = program.workers();
    const answer = ask(http.port, "/?500");
    await sleep(250);
    process.kill(first!, "SIGTERM");
    assert.equal(await answer, `${first} one`);
    const [second] = (await ask(http.port)).split(" ").map(Number);
    process.kill(second!, "SIGKILL");
    await ask(http.port);
    program.child.kill();
    const { stderr } = await program.ended;
    assert.match(
      stderr,
      new RegExp(`worker ${first} ended with exit code 0; .*\n.*worker ${second} was ended by SIGKILL;`),
    );
  });

  it("because its event loop is blocked is replaced, while the others serve", async (t) => {
    const [notify, http] = [hold({ path: `@rouse-hang-${process.pid}`, type: "datagram" }), hold()];
    const env = { NOTIFY_SOCKET: `@rouse-hang-${process.pid}`, WATCHDOG_USEC: "4000000" };
    const program = startSupervised(t, server("one"), { sockets: { http }, env });
    await waitFor("READY=1", async () => receiveDatagram(notify)?.startsWith("READY=1"));
    const before = program.workers();
    const blocked = ask(http.port, "/block");
    await assert.rejects(blocked, /socket hang up|ECONNRESET/);
    for (let count = 0; count < 10; count++) await ask(http.port);
    await waitFor("another worker", async () => program.workers().length === 2);
    assert.equal(before.filter((pid) => program.workers().includes(pid)).length, 1);
    const said: string[] = [];
    for (let text = receiveDatagram(notify); text !== undefined; text = receiveDatagram(notify)) said.push(text);
    assert.ok(said.includes("WATCHDOG=1"), "the supervisor's own watchdog");
    assert.ok(said.includes("STATUS=1 of 2 workers serve"), JSON.stringify(said));
    program.child.kill();
    assert.match(
      (await program.ended).stderr,
      /worker \d+ gave no sign of life for 4 s, and was killed; another one starts/,
    );
  });

  it("does not pull a supervisor down that was held up itself", async (t) => {
    const http = hold();
    const env = { NOTIFY_SOCKET: "/dev/null/none", WATCHDOG_USEC: "4000000" };
    const program = startSupervised(t, server("one"), { sockets: { http }, env });
    await waitFor("two workers", async () => program.workers().length === 2);
    await sleep(1000);
    const before = program.workers();
    for (const pid of [program.pid, ...before]) process.kill(pid, "SIGSTOP");
    await sleep(7000);
    for (const pid of [...before, program.pid]) process.kill(pid, "SIGCONT");
    await sleep(3000);
    assert.deepEqual(program.workers(), before);
  });
});

describe("a program that does not start", () => {
  it("is none where a worker ends while the others start, if it was ready", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one", 3), { sockets: { http } });
    await assert.rejects(ask(http.port, "/crash"), /socket hang up|ECONNRESET/);
    await waitFor("three workers", async () => program.workers().length === 3);
    await ask(http.port);
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("ends as it would without workers, with its own words once", async (t) => {
    const script = `await supervise({ workers: 3 }, () => { console.error("no database"); process.exit(4); });`;
    const { code, stderr } = await startSupervised(t, script, { sockets: { http: hold() } }).ended;
    assert.deepEqual([code, stderr], [4, "no database\n"]);
  });

  it("ends with 0 where it was asked for something else than to serve", async (t) => {
    const script = `await supervise({ workers: 3 }, () => { if (process.argv[2] === "--version") console.log("1.2.3"); });`;
    const { code, stdout, stderr } = await startSupervised(t, script, { args: ["--version"] }).ended;
    assert.deepEqual([code, stdout, stderr], [0, "1.2.3\n", ""]);
  });

  it("ends the service when a signal has ended it", async (t) => {
    const script = `await supervise({ workers: 2 }, () => process.kill(process.pid, "SIGKILL"));`;
    const { code, stderr } = await startSupervised(t, script).ended;
    assert.equal(code, 1);
    assert.match(stderr, /^server\.mjs: worker \d+ was ended by SIGKILL\n$/);
  });

  it("ends the service also when it is the second worker", async (t) => {
    const script = `await supervise({ workers: 2 }, async () => {
      await activate({ fallback: { http: 0 } }).listen(http.createServer(), "http");
      fs.appendFileSync("count", "x");
      if (fs.readFileSync("count", "utf8").length === 2) process.exit(5);
    });`;
    const http = hold();
    const program = startSupervised(t, `process.chdir(import.meta.dirname); ${script}`, { sockets: { http } });
    const { code } = await program.ended;
    assert.equal(code, 5);
    assert.deepEqual(program.workers().filter(isAlive), []);
  });

  it("ends the service when the last worker cannot be replaced", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one", 1), { sockets: { http } });
    await ask(http.port);
    program.replace("process.exit(6);");
    await assert.rejects(ask(http.port, "/crash"));
    const { code, stderr } = await program.ended;
    assert.equal(code, 6);
    assert.match(stderr, /ended with exit code 7; another one starts in 0\.1 s\n.* ended with exit code 6;/);
  });
});
