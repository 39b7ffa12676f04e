import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { receiveDatagram } from "../helpers/passed-socket.ts";
import { makeProject } from "../helpers/project.ts";
import { waitFor } from "../system/wait.ts";
import { hold } from "./hold.ts";
import { ask, isAlive, server, startLoad, startSupervised } from "./supervised.ts";

/** Asks until both workers have answered; gives their process ids. */
async function bothAnswer(where: number | string): Promise<string[]> {
  const seen = new Set<string>();
  await waitFor("two workers answer", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(where)));
    for (const answer of answers) seen.add(answer.split(" ")[0]!);
    return seen.size === 2;
  });
  return [...seen];
}

describe("workers", () => {
  it("serve what was passed to their supervisor, which serves nothing itself", async (t) => {
    const path = join(tmpdir(), `rouse-workers-${process.pid}.sock`);
    t.after(() => rmSync(path, { force: true }));
    const [http, unix] = [hold(), hold({ path })];
    const program = startSupervised(t, server("one"), { sockets: { http: [http, unix] } });
    const pids = await bothAnswer(http.port);
    assert.deepEqual([...pids].sort(), program.workers().map(String).sort());
    assert.deepEqual(new Set(await bothAnswer(path)), new Set(pids));
    assert.ok(!pids.includes(String(program.pid)));
    program.child.kill();
    const { code, stdout, stderr } = await program.ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^(worker \d+ systemd \{.*"port":\d+\}\n){2}$/);
    assert.equal(stderr, "");
  });

  it("have nothing in their environment that speaks to the supervisor", async (t) => {
    const notify = hold({ path: `@rouse-workers-env-${process.pid}`, type: "datagram" });
    const program = startSupervised(
      t,
      `await supervise({ workers: 1 }, async () => {
         console.log(Object.keys(process.env).filter((name) => /^(LISTEN|NOTIFY|WATCHDOG|ROUSE)_/.test(name)), process.argv.slice(2));
         await activate().listen(http.createServer(), "http");
       });`,
      {
        sockets: { http: hold() },
        args: ["--own", "argument"],
        env: { NOTIFY_SOCKET: `@rouse-workers-env-${process.pid}`, WATCHDOG_USEC: "60000000" },
      },
    );
    await program.printed("[] [ '--own', 'argument' ]\n");
    await waitFor("READY=1", async () => receiveDatagram(notify)?.startsWith("READY=1"));
  });

  it("are told of to the service manager: READY=1 when all are ready, their status, STOPPING=1", async (t) => {
    const [notify, http] = [hold({ path: `@rouse-workers-${process.pid}`, type: "datagram" }), hold()];
    const program = startSupervised(
      t,
      `await supervise({ workers: 2 }, async () => {
         const activation = activate({ fallback: { http: 0 } });
         await activation.listen(http.createServer((request, response) => {
           activation.status("answering"); response.end(String(process.pid)); }), "http");
         console.log("worker");
       });`,
      { sockets: { http }, env: { NOTIFY_SOCKET: `@rouse-workers-${process.pid}` } },
    );
    const next = (what: string) => waitFor(what, async () => receiveDatagram(notify));
    assert.equal(await next("READY=1"), "READY=1\nSTATUS=2 of 2 workers serve");
    await ask(http.port);
    assert.equal(await next("a status"), "STATUS=2 of 2 workers serve; answering");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
    assert.equal(await next("STOPPING=1"), "STOPPING=1");
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`answer all that is in flight at ${signal}`, async (t) => {
      const http = hold();
      const program = startSupervised(t, server("one"), { sockets: { http } });
      await bothAnswer(http.port);
      const answers = Array.from({ length: 50 }, () => ask(http.port, "/?500"));
      await sleep(250);
      program.child.kill(signal);
      assert.equal(new Set(await Promise.all(answers)).size, 2);
      assert.deepEqual(await program.ended, { ...(await program.ended), code: 0, signal: null, stderr: "" });
    });
  }

  it("end without their supervisor, after they have answered", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one"), { sockets: { http } });
    const pids = (await bothAnswer(http.port)).map(Number);
    const answers = Array.from({ length: 10 }, () => ask(http.port, "/?500"));
    await sleep(200);
    program.child.kill("SIGKILL");
    await Promise.all(answers);
    await waitFor("no worker is left", async () => !pids.some(isAlive));
  });

  it("end without their supervisor also where they have not activated yet", async (t) => {
    const program = startSupervised(
      t,
      `await supervise({ workers: 2 }, async () => { console.log("starts"); setInterval(() => {}, 1000); });`,
      { sockets: { http: hold() } },
    );
    await program.printed("starts");
    const pids = program.workers();
    assert.equal(pids.length, 1);
    program.child.kill("SIGKILL");
    await waitFor("no worker is left", async () => !pids.some(isAlive));
  });

  it("share datagrams: each is received once", async (t) => {
    const stats = hold({ type: "datagram" });
    const program = startSupervised(
      t,
      `await supervise({ workers: 2 }, async () => {
         const activation = activate({ fallback: { stats: 0 } });
         const socket = dgram.createSocket("udp4").on("message", (text) => console.log("got", String(text)));
         await activation.listen(socket, "stats");
         console.log("listens");
       });`,
      { sockets: { stats } },
    );
    await program.printed("listens\nlistens\n");
    const { createSocket } = await import("node:dgram");
    const client = createSocket("udp4");
    for (let number = 0; number < 20; number++) client.send(`<${number}>`, stats.port, "127.0.0.1");
    for (let number = 0; number < 20; number++) await program.printed(`got <${number}>\n`);
    client.close();
    program.child.kill();
    assert.equal((await program.ended).stdout.match(/got/g)?.length, 20);
  });

  it("share a FIFO: each line is read once", async (t) => {
    const folder = makeProject(t, {});
    execFileSync("mkfifo", [join(folder, "events")]);
    const fd = openSync(join(folder, "events"), "r+");
    t.after(() => closeSync(fd));
    const program = startSupervised(
      t,
      `await supervise({ workers: 2 }, async () => {
         activate({ fallback: { events: 0 } }).fifo("events").on("data", (text) => console.log(String(text).trim()));
         console.log("reads");
       });`,
      { sockets: { events: { fd, port: 0, close() {} } } },
    );
    await program.printed("reads\nreads\n");
    for (let number = 0; number < 10; number++) {
      writeSync(fd, `<${number}>\n`);
      await program.printed(`<${number}>\n`);
    }
    program.child.kill();
    assert.equal((await program.ended).stdout.match(/</g)?.length, 10);
  });

  it("end at once at a second signal", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one"), { sockets: { http } });
    await bothAnswer(http.port);
    const pids = program.workers();
    const answer = assert.rejects(ask(http.port, "/?30000"), /socket hang up|ECONNRESET/);
    await sleep(200);
    program.child.kill("SIGTERM");
    await sleep(1500);
    assert.ok(isAlive(program.pid));
    program.child.kill("SIGTERM");
    assert.equal((await program.ended).code, 0);
    await answer;
    await waitFor("no worker is left", async () => !pids.some(isAlive));
  });

  it("exit when all of them are idle, and lose nobody", async (t) => {
    const http = hold();
    const script = server("one").replace("fallback:", "idleExit: 1000, fallback:");
    let starts = 0;
    for (let round = 0; round < 2; round++) {
      const program = startSupervised(t, script, { sockets: { http } });
      await bothAnswer(http.port);
      assert.ok(isAlive(program.pid));
      const load = startLoad(t, http.port, 2);
      await sleep(1500);
      assert.ok(isAlive(program.pid), "it exits although there are requests");
      const { failures } = await load.stop();
      assert.deepEqual(failures, []);
      const { code, signal, stderr } = await program.ended;
      assert.deepEqual([code, signal, stderr], [0, null, ""]);
      starts++;
    }
    assert.equal(starts, 2);
  });

  it("are not started for one connection each", async (t: TestContext) => {
    const path = join(tmpdir(), `rouse-workers-connection-${process.pid}.sock`);
    t.after(() => rmSync(path, { force: true }));
    hold({ path });
    const program = startSupervised(t, server("one"), { sockets: { connection: hold({ to: path }) } });
    const { code, stderr } = await program.ended;
    assert.equal(code, 1);
    assert.match(stderr, /server\.mjs: "connection" descriptor 3 is one connection, which workers cannot share\./);
  });

  for (const workers of ["-1", "1.5", "'2'"]) {
    it(`are refused as ${workers}`, async (t) => {
      const { code, stderr } = await startSupervised(t, `await supervise({ workers: ${workers} }, () => {});`).ended;
      assert.equal(code, 1);
      assert.match(stderr, /server\.mjs: workers: .* is no number of processes\. Write 1 or more, or "auto"\./);
    });
  }

  it("of a version that does not understand its supervisor say so", async (t) => {
    const script = `import { spawn } from "node:child_process";
      const env = { ...process.env, ROUSE_WORKER: JSON.stringify({ protocol: 0 }) };
      if (process.env.ROUSE_WORKER) await supervise({ workers: 1 }, () => {});
      else spawn(process.execPath, process.argv.slice(1), { env, stdio: ["ignore", "inherit", "inherit", "ipc"] })
        .on("exit", (code) => process.exit(code));`;
    const { code, stderr } = await startSupervised(t, script).ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^server\.mjs: the supervisor was built by another version of Rouse, .* Restart the service\.\n$/,
    );
  });

  it("are left out with 0", async (t) => {
    const program = startSupervised(t, server("one", 0), { sockets: { http: hold() } });
    await program.printed(`worker ${program.pid} systemd`);
    assert.deepEqual(program.workers(), []);
  });
});

describe("a descriptor that the program is told by --fd", () => {
  const script = server("one").replace("fallback:", "fdFlag: true, fallback:");
  // No variable speaks of these.
  const alone = { LISTEN_FDS: undefined, LISTEN_FDNAMES: undefined };

  it("is shared: the first that was passed", async (t) => {
    const http = hold();
    const program = startSupervised(t, script, { sockets: { http }, args: ["--fd", "0"] });
    await bothAnswer(http.port);
    await program.printed(" fd ");
  });

  it("is shared: its own number", async (t) => {
    const http = hold();
    const options = { sockets: { http }, env: alone, through: "5<&3 3<&-" };
    const program = startSupervised(t, script, { ...options, args: ["--fd=5"] });
    await bothAnswer(http.port);
    await program.printed(" fd ");
  });

  it("is not what another program's -f names", async (t) => {
    const options = { sockets: { http: hold() }, env: alone, through: "5<&3 3<&-" };
    const program = startSupervised(t, server("one"), { ...options, args: ["-f", "5"] });
    await program.printed(" bind ");
  });

  it("is refused where there is none", async (t) => {
    const { code, stderr } = await startSupervised(t, script, { args: ["--fd", "3"] }).ended;
    assert.equal(code, 1);
    assert.match(stderr, /^server\.mjs: --fd 3: the supervisor of this worker has no listening socket there\. .*\n$/);
  });

  it("is inetd's on descriptor 0", async (t) => {
    const http = hold();
    const program = startSupervised(t, server("one"), { sockets: { http }, env: alone, through: "0<&3 3<&-" });
    await bothAnswer(http.port);
    await program.printed(" inetd ");
  });
});
