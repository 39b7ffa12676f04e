import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { type HeldSocket, type HeldSocketOptions, holdSocket } from "../helpers/passed-socket.ts";
import { flags, type Result, runProgram, runtime, start, startProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-passed-"));
const held: HeldSocket[] = [];

function hold(options?: HeldSocketOptions): HeldSocket {
  const socket = holdSocket(options);
  held.push(socket);
  return socket;
}

after(() => {
  for (const socket of held) socket.close();
  rmSync(folder, { recursive: true });
});

/** One message, no stack of ours, exit code 1. */
function assertRefused({ code, stdout, stderr }: Result, message: RegExp): void {
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^node: [^\n]+\n$/);
  assert.doesNotMatch(stderr, / {4}at /);
  assert.match(stderr, message);
}

const HELLO = `
  const activation = activate({ fallback: { http: 0 } });
  await activation.listen(http.createServer((request, response) => response.end("hello from " + activation.source)), "http");
  console.log("listening");`;

describe("sockets that are passed", () => {
  it("serves every descriptor of a name on one server, and keeps each backlog", async () => {
    const v4 = hold({ backlog: 7 });
    const v6 = hold({ host: "::1", backlog: 9 });
    const program = startProgram(HELLO, { sockets: { http: [v4, v6] } });
    await program.printed("listening");
    assert.equal(await (await fetch(`http://127.0.0.1:${v4.port}/`)).text(), "hello from systemd");
    assert.equal(await (await fetch(`http://[::1]:${v6.port}/`)).text(), "hello from systemd");
    assert.equal(backlogOf(v4), 7);
    assert.equal(backlogOf(v6), 9);
    program.child.kill("SIGTERM");
    assert.equal((await program.ended).code, 0);
  });

  it("serves a unix socket, and leaves its file alone", async () => {
    const path = join(folder, "passed.sock");
    const program = startProgram(HELLO, { sockets: { http: hold({ path }) } });
    await program.printed("listening");
    const [response] = await once(get({ socketPath: path, path: "/" }), "response");
    assert.equal(await text(response), "hello from systemd");
    program.child.kill("SIGTERM");
    assert.equal((await program.ended).code, 0);
    const client = connect(path); // Still open here, as with systemd: the next process gets it.
    await once(client, "connect");
    client.destroy();
  });

  it("tells what each socket is", async () => {
    const [v4, v6] = [hold({ backlog: 7 }), hold({ host: "::1" })];
    const path = join(folder, "tell.sock");
    const { stdout } = await runProgram(
      `const show = ({ name, type, family, role, fd, address, backlog }) => ({ name, type, family, role, fd, address, backlog });
       console.log(JSON.stringify(activate().sockets().map(show)));
       console.log(JSON.stringify(activate().socket("a").listenArguments()));`,
      { sockets: { a: v4, b: v6, c: hold({ path }), d: hold({ path: "@rouse-test-tell" }) } },
    );
    const [sockets, listenArguments] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const stream = { type: "stream", role: "listener" };
    const tcp = { type: "tcp" };
    assert.deepEqual(sockets, [
      {
        ...stream,
        name: "a",
        family: "ipv4",
        fd: 3,
        address: { ...tcp, host: "127.0.0.1", port: v4.port },
        backlog: 7,
      },
      { ...stream, name: "b", family: "ipv6", fd: 4, address: { ...tcp, host: "::1", port: v6.port }, backlog: 128 },
      { ...stream, name: "c", family: "unix", fd: 5, address: { type: "unix", path }, backlog: 4096 },
      {
        ...stream,
        name: "d",
        family: "unix",
        fd: 6,
        address: { type: "unix", path: "@rouse-test-tell" },
        backlog: 4096,
      },
    ]);
    assert.deepEqual(listenArguments, [{ fd: 3 }, 7]);
  });

  it("matches by name, never by position", async () => {
    const [first, second] = [hold(), hold()];
    const program = startProgram(
      `const activation = activate({ fallback: { http: 0, admin: 0 } });
       const answer = (text) => http.createServer((request, response) => response.end(text));
       await activation.listen(answer("http"), "http");
       await activation.listen(answer("admin"), "admin");
       console.log("listening");`,
      { sockets: { admin: first, http: second } },
    );
    await program.printed("listening");
    assert.equal(await (await fetch(`http://127.0.0.1:${first.port}/`)).text(), "admin");
    assert.equal(await (await fetch(`http://127.0.0.1:${second.port}/`)).text(), "http");
    program.child.kill();
    await program.ended;
  });

  it("gives one server two names", async () => {
    const [first, second] = [hold(), hold()];
    const program = startProgram(
      `const activation = activate();
       const server = http.createServer((request, response) => response.end("same"));
       await activation.listen(server, "http");
       await activation.listen(server, "admin");
       console.log("listening");`,
      { sockets: { http: first, admin: second } },
    );
    await program.printed("listening");
    for (const { port } of [first, second]) {
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "same");
    }
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("takes sockets without names for the one name that the program knows", async () => {
    const [first, second] = [hold(), hold()];
    const sockets = { http: [first, second] };
    const program = startProgram(HELLO, { sockets, env: { LISTEN_FDNAMES: undefined } });
    await program.printed("listening");
    for (const { port } of [first, second]) {
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello from systemd");
    }
    program.child.kill();
    await program.ended;
  });

  it("takes a socket of a unit without FileDescriptorName= for it too: systemd names that one after the unit", async () => {
    const sockets = { "lunchd.socket": hold() };
    const program = startProgram(HELLO, { sockets });
    await program.printed("listening");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("takes nothing else for it: neither what a program has stored, nor the socket for a name of the store", async () => {
    const state = { fd: openSync("/proc/self/comm", "r"), port: 0, close() {} };
    const source = `const activation = activate({ fallback: { http: 0 } });
      console.log(activation.sockets("state").map(({ fd }) => fd), activation.socket("http").fd);
      await activation.listen(http.createServer(), "http"); process.exit();`;
    const first = await runProgram(source, { sockets: { "lunchd.socket": hold() } });
    assert.deepEqual([first.stdout, first.stderr], ["[] 3\n", ""]);
    const restarted = await runProgram(source, { sockets: { "lunchd.socket": hold(), state } });
    assert.deepEqual([restarted.stdout, restarted.stderr], ["[ 4 ] 3\n", ""]);
    closeSync(state.fd);
  });

  it("does not guess between two names", async () => {
    const result = await runProgram(`activate({ fallback: { http: 0, admin: 0 } }).socket("http");`, {
      sockets: { http: hold() },
      env: { LISTEN_FDNAMES: undefined },
    });
    assertRefused(
      result,
      /no socket is named "http"; passed: "unknown" descriptor 3 127\.0\.0\.1:\d+; asked for: http, admin/,
    );
  });

  it("reads the variables once, hides them from children, and gives a second activation the same sockets", async () => {
    const { stdout, stderr } = await runProgram(
      `import { execSync } from "node:child_process";
       const first = activate(); const second = activate();
       console.log(first.socket("http") === second.socket("http"), second.source);
       console.log(execSync("env").toString().includes("LISTEN_"));
       await first.listen(http.createServer(), "http");
       await second.listen(http.createServer(), "http").catch((error) => console.log(error.code));
       process.exit();`,
      { sockets: { http: hold() } },
    );
    assert.equal(stdout, "true systemd\nfalse\nsocket-taken\n", stderr);
  });

  it("fails the second time as it did the first", async () => {
    const { stdout } = await runProgram(
      `for (let i = 0; i < 2; i++) try { activate({ fallback: { http: 0 } }) } catch (error) { console.log(error.code) }
       console.log(process.env.LISTEN_FDS);`,
      { env: { LISTEN_FDS: "abc" } },
    );
    assert.equal(stdout, "bad-variable\nbad-variable\nundefined\n");
  });

  it("says with ROUSE_DEBUG=activation what it found", async () => {
    const { stderr } = await runProgram("activate();", {
      sockets: { http: hold() },
      env: { ROUSE_DEBUG: "activation" },
    });
    assert.match(
      stderr,
      /^node: activation: systemd: \{"LISTEN_FDS":"1",.*\nnode: activation: source systemd: "http" descriptor 3 127/,
    );
  });
});

describe("sockets of another process", () => {
  it("are a warning where there is a fallback", async () => {
    const { code, stdout, stderr } = await runProgram(
      `console.log(activate({ fallback: { http: 0 } }).source, activate({ fallback: { http: 0 } }).source);`,
      { sockets: { http: hold() }, env: { LISTEN_PID: "1" } },
    );
    assert.equal(code, 0);
    assert.equal(stdout, "bind bind\n");
    assert.match(
      stderr,
      /^node: warning: LISTEN_FDS is not for this process: LISTEN_PID=1 is not this process \(\d+\)\. [^\n]+\n$/,
    );
  });

  it("are an error where there is none", async () => {
    assertRefused(
      await runProgram("activate();", { env: { LISTEN_FDS: "1", LISTEN_PID: "1" } }),
      /LISTEN_PID=1 is not this/,
    );
  });

  it("are explained where the parent has swallowed them", async () => {
    const env = { LISTEN_FDS: "1", LISTEN_PID: String(process.pid) };
    assertRefused(
      await runProgram("activate();", { env }),
      /names what started this process \(\d+\), which is `\S*node.*`. npm run, node --run and node --watch/,
    );
  });

  it("are ours without LISTEN_PID when descriptor 3 is a listening socket", async () => {
    const socket = hold();
    const program = startProgram(HELLO, { sockets: { http: socket }, withoutPid: true });
    await program.printed("listening");
    assert.equal(await (await fetch(`http://127.0.0.1:${socket.port}/`)).text(), "hello from systemd");
    program.child.kill();
    await program.ended;
  });

  it("are not ours without LISTEN_PID when descriptor 3 is something else", async () => {
    const { stdout, stderr } = await runProgram(`console.log(activate({ fallback: { http: 0 } }).source)`, {
      env: { LISTEN_FDS: "1" },
    });
    assert.equal(stdout, "bind\n");
    assert.match(stderr, /^node: warning: LISTEN_FDS is not for this process: there is no LISTEN_PID[^\n]+\n$/);
  });
});

describe("an activation that is half there", () => {
  const FALLBACK = "activate({ fallback: { http: 0 } });";
  const LISTEN = 'await activate({ fallback: { http: 0 } }).listen(http.createServer(), "http");';
  const file = { fd: openSync(new URL(import.meta.url).pathname, "r") };

  it("refuses LISTEN_FDS=abc", async () =>
    assertRefused(await runProgram(FALLBACK, { env: { LISTEN_FDS: "abc" } }), /LISTEN_FDS="abc" is no number/));

  it("refuses a descriptor that was lost", async () => {
    const result = await runProgram(FALLBACK, {
      sockets: { http: hold() },
      env: { LISTEN_FDS: "2", LISTEN_FDNAMES: "http:https" },
    });
    assertRefused(result, /descriptor 4 \("https"\) is no socket but Node's own.*start node itself/);
  });

  it("refuses a descriptor that is closed", async () => {
    const result = await runProgram(FALLBACK, {
      sockets: { http: hold() },
      env: { LISTEN_FDS: "90", LISTEN_FDNAMES: undefined },
    });
    assertRefused(
      result,
      /descriptor \d+ \("unknown"\) is (not open, though LISTEN_FDS counts it|no socket but Node's own)/,
    );
  });

  it("refuses a descriptor that is a file", async () => {
    const socket = { ...file, port: 0, close() {} };
    assertRefused(
      await runProgram(LISTEN, { sockets: { http: socket } }),
      /"http" descriptor 3 is no socket, which Node cannot serve.*ListenStream=/,
    );
  });

  it("refuses a datagram socket for a stream server", async () => {
    const sockets = { http: hold({ type: "datagram" }) };
    assertRefused(
      await runProgram(LISTEN, { sockets }),
      /"http" descriptor 3 udp:127.0.0.1:\d+ is an ipv4 datagram socket, not a stream. Serve it with dgram/,
    );
  });

  it("refuses a socket that does not listen", async () => {
    const sockets = { http: hold({ backlog: 0 }) };
    assertRefused(
      await runProgram(LISTEN, { sockets }),
      /"http" descriptor 3 127.0.0.1:\d+ is neither listening nor connected.*Accept=no/,
    );
  });

  for (const names of ["http", "http:https:more"]) {
    it(`refuses LISTEN_FDNAMES=${names} for two sockets`, async () => {
      const sockets = { http: [hold(), hold()] };
      assertRefused(
        await runProgram(FALLBACK, { sockets, env: { LISTEN_FDNAMES: names } }),
        /LISTEN_FDS=2, but LISTEN_FDNAMES/,
      );
    });
  }

  it("refuses a name that was not passed, fallback or not, and lists what there is", async () => {
    const source = `const activation = activate({ fallback: { http: 0, https: 0 } });
      await activation.listen(http.createServer(), "https");`;
    const result = await runProgram(source, { sockets: { http: hold() } });
    assertRefused(
      result,
      /no socket is named "https"; passed: "http" descriptor 3 127\.0\.0\.1:\d+; asked for: http, https\. .*FileDescriptorName=https/,
    );
  });

  it("refuses to choose one of several", async () => {
    const result = await runProgram(`activate().socket("http")`, { sockets: { http: [hold(), hold()] } });
    assertRefused(result, /several.*descriptor 3 .*descriptor 4 .*sockets\("http"\)/);
  });

  it("can be caught", async () => {
    const source = `try { activate() } catch (error) { console.log(error instanceof ActivationError, error.code, error.mend) }`;
    const { code, stdout } = await runProgram(source, { env: { LISTEN_FDS: "0" } });
    assert.deepEqual([code, stdout], [0, "true bad-variable Remove it, or pass sockets as sd_listen_fds(3) says\n"]);
  });

  it("leaves an uncaughtException listener of the program in charge", async () => {
    const source = `process.on("uncaughtException", (error) => console.log("mine", error.code)); activate();`;
    const { code, stdout, stderr } = await runProgram(source, { env: { LISTEN_FDS: "0" } });
    assert.deepEqual([code, stdout, stderr], [0, "mine bad-variable\n", ""]);
  });

  it("ends with one line from a rejection that nobody handles", async () => {
    const source = `setTimeout(() => { activate().listen(http.createServer(), "http") }, 1); setInterval(() => {}, 1000);`;
    assertRefused(await runProgram(source), /no socket is named "http"; to bind: none/);
  });
});

describe("systemd-socket-activate", () => {
  const installed = (() => {
    try {
      return execFileSync("systemd-socket-activate", ["--version"], { stdio: "pipe" }).length > 0;
    } catch {
      return false;
    }
  })();
  const skip = !installed && !process.env.CI && "systemd-socket-activate is not installed";

  for (const [title, options] of [
    ["names", ["--fdname=http"]],
    ["no names", []],
  ] as const) {
    it(`passes a socket with ${title}`, { skip }, async () => {
      const spare = holdSocket();
      const { port } = spare;
      spare.close();
      const program = start("systemd-socket-activate", [
        `--listen=127.0.0.1:${port}`,
        ...options,
        process.execPath,
        ...flags,
        "--input-type=module",
        "--eval",
        `import { activate } from ${JSON.stringify(runtime)}; import http from "node:http"; ${HELLO}`,
      ]);
      await new Promise<void>((resolve) =>
        program.child.stderr!.on("data", (data) => String(data).includes("Listening") && resolve()),
      );
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello from systemd");
      program.child.kill("SIGTERM");
      assert.equal((await program.ended).code, 0);
    });
  }
});

/** What the kernel keeps now: Send-Q of a listening socket, in ss(8). */
function backlogOf({ port }: HeldSocket): number {
  const [line = ""] = execFileSync("ss", ["-Hltn", `sport = :${port}`], { encoding: "utf8" }).split("\n");
  return Number(line.trim().split(/\s+/)[2]);
}
