import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { openNotifySocket } from "./manager.ts";
import { runProgram, startProgram } from "./program.ts";

const manager = openNotifySocket();
const NOTIFY_SOCKET = manager.path;

const SERVER = `const activation = activate({ fallback: { http: "127.0.0.1:0" } });
  await activation.listen(http.createServer(), "http");`;

describe("reload", () => {
  it("does the work between RELOADING=1, with the monotonic clock, and READY=1", async () => {
    const program = startProgram(
      `${SERVER} activation.onReload(async () => { console.log("begin"); await new Promise((resolve) => setTimeout(resolve, 50)); console.log("end"); });`,
      { env: { NOTIFY_SOCKET } },
    );
    assert.equal((await manager.next()).message, "READY=1");
    const before = process.hrtime.bigint() / 1000n;
    program.child.kill("SIGHUP");
    const { message } = await manager.next();
    const [, clock] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(message)!;
    assert.ok(BigInt(clock!) >= before && BigInt(clock!) <= process.hrtime.bigint() / 1000n);
    await program.printed("begin");
    assert.deepEqual(manager.rest(), []);
    await program.printed("end");
    assert.equal((await manager.next()).message, "READY=1");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
    assert.deepEqual(manager.rest(), ["STOPPING=1"]);
  });

  it("goes on as before when the work fails, and says so", async () => {
    const program = startProgram(`${SERVER} activation.onReload(() => { throw new Error("no such file"); });`, {
      env: { NOTIFY_SOCKET },
    });
    await manager.next();
    program.child.kill("SIGHUP");
    assert.match((await manager.next()).message, /^RELOADING=1/);
    assert.equal((await manager.next()).message, "READY=1\nSTATUS=reload failed: no such file");
    program.child.kill();
    const { code, stderr } = await program.ended;
    assert.equal(code, 0);
    assert.match(stderr, /warning: reload failed: no such file/);
    manager.rest();
  });

  it("is answered under a manager also where there is nothing to reload", async () => {
    const program = startProgram(SERVER, { env: { NOTIFY_SOCKET } });
    await manager.next();
    program.child.kill("SIGHUP");
    assert.match((await manager.next()).message, /^RELOADING=1/);
    assert.equal((await manager.next()).message, "READY=1");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
    manager.rest();
  });

  it("ends the process where there is neither: the terminal was closed", async () => {
    const program = startProgram(`${SERVER} console.log("up")`);
    await program.printed("up");
    program.child.kill("SIGHUP");
    assert.equal((await program.ended).signal, "SIGHUP");
  });

  it("is the program's own where it listens for the signal itself", async () => {
    const program = startProgram(
      `${SERVER} activation.onReload(() => console.log("ours")); process.on("SIGHUP", () => { console.log("theirs"); process.exit(); }); console.log("up")`,
    );
    await program.printed("up");
    program.child.kill("SIGHUP");
    assert.equal((await program.ended).stdout, "up\ntheirs\n");
  });

  it("tells the manager of none after STOPPING=1", async () => {
    const http = holdSocket();
    const program = startProgram(
      `${SERVER.replace("http.createServer()", "net.createServer((socket) => socket.resume())")}
       activation.onReload(async () => { console.log("begin"); await new Promise((resolve) => setTimeout(resolve, 100)); console.log("end"); });`,
      { sockets: { http }, env: { NOTIFY_SOCKET } },
    );
    assert.equal((await manager.next()).message, "READY=1");
    const client = connect(http.port, "127.0.0.1");
    await once(client, "connect");
    program.child.kill("SIGHUP");
    await program.printed("begin");
    program.child.kill();
    await program.printed("end");
    program.child.kill("SIGHUP");
    await program.printed("end\nbegin\nend");
    client.end();
    assert.equal((await program.ended).code, 0);
    const [reloading, ...others] = manager.rest();
    assert.match(reloading!, /^RELOADING=1/);
    assert.deepEqual(others, ["STOPPING=1"]);
    http.close();
  });

  it("does one after the other, and no more after the work is taken back", async () => {
    const program = startProgram(
      `${SERVER} let running = 0;
       const off = activation.onReload(async () => {
         console.log("running", ++running); await new Promise((resolve) => setTimeout(resolve, 60)); running--; console.log("done"); });
       process.on("SIGUSR2", () => { off(); console.log("off"); }); console.log("up")`,
    );
    await program.printed("up");
    program.child.kill("SIGHUP");
    await program.printed("running 1");
    program.child.kill("SIGHUP");
    await program.printed("done\nrunning 1\ndone");
    program.child.kill("SIGUSR2");
    await program.printed("off");
    program.child.kill("SIGHUP");
    assert.equal((await program.ended).signal, "SIGHUP");
  });
});

describe("the watchdog", () => {
  it("is told twice in each interval while the event loop turns, and not while it is blocked", async () => {
    const program = startProgram(`${SERVER} process.on("SIGUSR2", () => { console.log("blocked"); for (;;); })`, {
      env: { NOTIFY_SOCKET, WATCHDOG_USEC: "200000" },
    });
    assert.equal((await manager.next()).message, "READY=1");
    for (let i = 0; i < 5; i++) assert.equal((await manager.next()).message, "WATCHDOG=1");
    program.child.kill("SIGUSR2");
    await program.printed("blocked");
    manager.rest();
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepEqual(manager.rest(), []);
    program.child.kill("SIGKILL");
    await program.ended;
  });

  it("may have an interval longer than Node's timers, and is then told seldom", async () => {
    const program = startProgram("activate(); console.log('up'); setTimeout(() => {}, 200)", {
      env: { NOTIFY_SOCKET, WATCHDOG_USEC: String(100 * 86_400 * 1e6) },
    });
    await program.printed("up");
    const early: string[] = [];
    const timer = setInterval(() => early.push(...manager.rest()), 1);
    const { stderr } = await program.ended;
    clearInterval(timer);
    assert.deepEqual([early, stderr], [[], ""]);
  });

  it("keeps no program alive, and is another's where WATCHDOG_PID says so", async () => {
    const source = "activate(); setTimeout(() => {}, 250);";
    await runProgram(source, { env: { NOTIFY_SOCKET, WATCHDOG_USEC: "100000" } });
    assert.ok(manager.rest().length >= 2);
    await runProgram(source, { env: { NOTIFY_SOCKET, WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" } });
    assert.deepEqual(manager.rest(), []);
  });
});

describe("what the manager keeps", () => {
  it("gets a copy of a descriptor under a name, and is waited for", async () => {
    const program = startProgram(
      `const activation = activate();
       fs.writeFileSync("/proc/self/comm", "stored");
       const file = fs.openSync("/proc/self/comm");
       const stored = await activation.store("state", file);
       console.log("stored", stored);
       activation.unstore("state");
       await activation.barrier(); console.log("told");`,
      { env: { NOTIFY_SOCKET } },
    );
    const { message, fds } = await manager.next();
    assert.equal(message, "FDSTORE=1\nFDNAME=state");
    assert.equal(readFileSync(fds[0]!, "utf8"), "stored\n");
    closeSync(fds[0]!);
    const barrier = await manager.next();
    assert.equal(barrier.message, "BARRIER=1");
    assert.equal(barrier.fds.length, 1);
    closeSync(barrier.fds[0]!);
    await program.printed("stored true");
    assert.equal((await manager.next()).message, "FDSTOREREMOVE=1\nFDNAME=state");
    closeSync((await manager.next()).fds[0]!);
    assert.match((await program.ended).stdout, /told/);
  });

  it("is nothing where there is no manager, and a name that cannot be passed on is refused", async () => {
    const { stdout, stderr } = await runProgram(
      `const activation = activate(); console.log(await activation.store("state", 0)); await activation.barrier();
       await activation.store("a:b", 0).catch((error) => console.log(error.message));`,
    );
    assert.equal(stdout, 'false\na descriptor cannot be stored under the name "a:b"\n', stderr);
  });
});

describe("a manager that is gone", () => {
  it("is told of once, however often the program has news", async () => {
    const { code, stdout, stderr } = await runProgram(
      `const activation = activate(); for (const text of "abc") activation.status(text);
       console.log(await activation.store("state", 0)); await activation.barrier();`,
      { env: { NOTIFY_SOCKET: "/nowhere/that/is" } },
    );
    assert.deepEqual([code, stdout], [0, "false\n"]);
    assert.match(stderr, /^.*warning: could not send "STATUS=a" to NOTIFY_SOCKET=\/nowhere\/that\/is\n$/);
  });
});

describe("sd_notify through OpenFile=", () => {
  it("writes to the descriptor called notify, which is no socket of the program's", async () => {
    const http = holdSocket();
    const notify = holdSocket({ to: NOTIFY_SOCKET, type: "datagram" });
    const { stdout } = await runProgram(
      `${SERVER} console.log(activation.sockets().length); activation.extendTimeout(1500.4); await activation.ready("up"); process.exit()`,
      { sockets: { http, notify }, env: { NOTIFY_SOCKET: "/nowhere/that/is" } },
    );
    assert.equal(stdout, "1\n");
    assert.deepEqual(manager.rest(), ["EXTEND_TIMEOUT_USEC=1500400", "READY=1\nSTATUS=up"]);
    http.close();
    notify.close();
  });
});
