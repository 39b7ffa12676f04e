import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { type Job, type LaunchdOptions, type LaunchdProgram, startUnderLaunchd } from "../helpers/launchd.ts";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { writeProject } from "../helpers/project.ts";
import { rouse } from "../helpers/rouse.ts";
import { has } from "../helpers/tools.ts";
import { moduleText, node } from "./program.ts";

const { EALREADY, EINVAL, ENOENT, ESRCH } = constants.errno;

const SERVE = `const serve = (name) => activation.listen(http.createServer((request, response) =>
    response.end(name + " from " + activation.source)), name);`;

function check(title: string, body: (t: TestContext) => Promise<void>): void {
  it(title, { timeout: 30_000 }, async (t) => {
    if (has(t, "cc", "gcc libc6-dev")) await body(t);
  });
}

function hold(t: TestContext, options: Parameters<typeof holdSocket>[0] = {}): HeldSocket {
  const socket = holdSocket(options);
  t.after(() => socket.close());
  return socket;
}

function startProgram(t: TestContext, source: string, options: LaunchdOptions): LaunchdProgram {
  return startUnderLaunchd(t, node, ["--input-type=module", "--eval", moduleText(source)], options);
}

async function stop(program: LaunchdProgram): Promise<void> {
  program.child.kill("SIGTERM");
  const { code, stderr } = await program.ended;
  assert.deepEqual([code, stderr], [0, ""]);
}

async function ask({ port }: HeldSocket, host = "127.0.0.1"): Promise<string> {
  return await (await fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(20_000) })).text();
}

async function exchange({ port }: HeldSocket, message: string): Promise<string> {
  const client = createSocket("udp4");
  client.send(message, port, "127.0.0.1");
  try {
    return String((await once(client, "message", { signal: AbortSignal.timeout(20_000) }))[0]);
  } finally {
    client.close();
  }
}

describe("launchd", () => {
  check("serves every descriptor of a name with one server", async (t) => {
    const [v4, v6] = [hold(t), hold(t, { host: "::1" })];
    const source = `const activation = activate({ fallback: { http: 0 } }); ${SERVE}
      await serve("http"); console.log("listening");`;
    const program = startProgram(t, source, { job: { http: [v4, v6] } });
    await program.printed("listening");
    assert.equal(await ask(v4), "http from launchd");
    assert.equal(await ask(v6, "[::1]"), "http from launchd");
    await stop(program);
    assert.deepEqual(program.report(), ["call http 0", "free http"]);
  });

  check("serves several names, each asked for and its array released once", async (t) => {
    const [http, admin, other] = [hold(t), hold(t), hold(t)];
    const source = `const activation = activate({ fallback: { admin: 0, http: 0 } }); ${SERVE}
      await serve("http"); await serve("admin"); console.log("listening");`;
    const program = startProgram(t, source, { job: { other, http, admin } });
    await program.printed("listening");
    assert.equal(await ask(http), "http from launchd");
    assert.equal(await ask(admin), "admin from launchd");
    await stop(program);
    assert.deepEqual(program.report(), ["call admin 0", "free admin", "call http 0", "free http"]);
  });

  check("tells what each socket is", async (t) => {
    const sockets = [hold(t, { backlog: 7 }), hold(t, { host: "::1" })] as const;
    const source = `const show = ({ name, type, family, role, fd, address, backlog }) =>
        [name, type, family, role, fd, address.host, address.port, backlog];
      console.log(JSON.stringify([...activate({ fallback: { http: 0 } })].map(show)));`;
    const { stdout } = await startProgram(t, source, { job: { http: sockets } }).ended;
    assert.deepEqual(JSON.parse(stdout), [
      ["http", "stream", "ipv4", "listener", 3, "127.0.0.1", sockets[0].port, 7],
      ["http", "stream", "ipv6", "listener", 4, "::1", sockets[1].port, 128],
    ]);
  });

  check("serves a datagram socket", async (t) => {
    const socket = hold(t, { type: "datagram" });
    const source = `const activation = activate({ fallback: { stats: "udp:0" } });
      const server = dgram.createSocket("udp4");
      server.on("message", (message, { port }) => server.send(activation.source + " " + message, port));
      await activation.listen(server, "stats"); console.log("listening");`;
    const program = startProgram(t, source, { job: { stats: socket } });
    await program.printed("listening");
    assert.equal(await exchange(socket, "hello"), "launchd hello");
    await stop(program);
    assert.deepEqual(program.report(), ["call stats 0", "free stats"]);
  });

  check("gives a second activate the same sockets without asking again", async (t) => {
    const source = `const [first, second] = [1, 2].map(() => activate({ fallback: { http: 0 } }));
      const third = activate({ fallback: { http: 0, admin: 0 } });
      console.log([first, second, third].map(({ source }) => source).join());
      console.log(first.socket("http") === second.socket("http"), first.socket("http") === third.socket("http"),
        third.sockets("admin").length);`;
    const program = startProgram(t, source, { job: { http: hold(t), admin: [hold(t), hold(t)] } });
    const { stdout, stderr } = await program.ended;
    assert.deepEqual([stdout, stderr], ["launchd,launchd,launchd\ntrue true 2\n", ""]);
    assert.deepEqual(program.report(), ["call http 0", "free http", "call admin 0", "free admin"]);
  });
});

describe("launchd's errors", () => {
  const TWO = `const activation = activate({ fallback: { http: "127.0.0.1:0", admin: "127.0.0.1:0" } });`;

  /** One line that says so, and exit code 1. */
  async function assertRefused(
    t: TestContext,
    source: string,
    job: Job | undefined,
    message: RegExp,
  ): Promise<string[]> {
    const program = startProgram(t, source, { job });
    const { code, stdout, stderr } = await program.ended;
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, /^node: [^\n]+\n$/);
    assert.match(stderr, message);
    return program.report();
  }

  for (const [title, errno] of [
    ["the job lacks (ENOENT)", undefined],
    ["is missing, as launchd also says it (ESRCH)", ESRCH],
  ] as const) {
    check(`refuses a name that ${title}, with both lists, while another is there`, async (t) => {
      const http = hold(t);
      const report = await assertRefused(
        t,
        `${TWO} ${SERVE} await serve("http"); await serve("admin");`,
        errno ? { http, admin: errno } : { http },
        new RegExp(
          `no socket is named "admin"; passed: "http" descriptor 3 127.0.0.1:${http.port}; asked for: http, admin\\. Add "admin" to Sockets`,
        ),
      );
      assert.deepEqual(report, ["call http 0", "free http", `call admin ${errno ?? ENOENT}`]);
    });
  }

  for (const [title, job, errno] of [
    ["does not manage the process (ESRCH)", undefined, ESRCH],
    ["has a job without sockets (ENOENT)", {}, ENOENT],
  ] as const) {
    check(`binds the fallback where launchd ${title}`, async (t) => {
      const source = `${TWO} ${SERVE} await serve("http"); await serve("admin");
        console.log(activation.source, "listening");`;
      const program = startProgram(t, source, { job });
      await program.printed("bind listening");
      await stop(program);
      assert.deepEqual(program.report(), [`call http ${errno}`, `call admin ${errno}`]);
    });
  }

  check("says that other code has taken the socket (EALREADY)", async (t) => {
    await assertRefused(
      t,
      TWO,
      { http: hold(t), admin: EALREADY },
      /launchd does not give the socket "admin": EALREADY\. Other code in this process has taken it/,
    );
  });

  check("says so too where the program itself has asked before", async (t) => {
    const source = `import { dlopen } from "node:ffi";
      const ask = dlopen(null).lib.getFunction("launch_activate_socket", { arguments: ["pointer", "pointer", "pointer"], return: "i32" });
      ask(Buffer.from("http\\0"), new BigUint64Array(1), new BigUint64Array(1));
      try { ${TWO} } catch (error) { console.log(error instanceof ActivationError, error.code, error.message); }`;
    const program = startProgram(t, source, { job: { http: hold(t) } });
    const { stdout } = await program.ended;
    assert.match(stdout, /^true launchd-refused launchd does not give the socket "http": EALREADY\. Other code/);
    assert.deepEqual(program.report(), ["call http 0", `call http ${EALREADY}`, "leak http"], "the program's own leak");
  });

  for (const [errno, name] of [
    [EINVAL, "EINVAL"],
    [9999, "errno 9999"],
  ] as const) {
    check(`says that launchd refuses with ${name}`, async (t) => {
      const message = new RegExp(
        `launchd does not give the socket "http": ${name}\\. See .launchctl print. for the job`,
      );
      await assertRefused(t, TWO, { http: errno }, message);
    });
  }

  check("keeps what was given before a refusal, for an activate that asks for less", async (t) => {
    const source = `try { activate({ fallback: { http: 0, admin: 0 } }) } catch (error) { console.log(error.code) }
      console.log(activate({ fallback: { http: 0 } }).socket("http").fd);`;
    const program = startProgram(t, source, { job: { http: hold(t), admin: EINVAL } });
    assert.equal((await program.ended).stdout, "launchd-refused\n3\n");
    assert.deepEqual(program.report(), ["call http 0", "free http", `call admin ${EINVAL}`]);
  });
});

describe("launchd and other sources", () => {
  check("is not asked on Linux without XPC_SERVICE_NAME", async (t) => {
    const program = startProgram(t, `console.log(activate({ fallback: { http: 0 } }).source);`, {
      job: { http: hold(t) },
      env: { XPC_SERVICE_NAME: undefined },
    });
    assert.equal((await program.ended).stdout, "bind\n");
    assert.deepEqual(program.report(), []);
  });

  check("binds the fallback where there is no such function", async (t) => {
    const env = { LD_PRELOAD: undefined };
    const program = startProgram(t, `console.log(activate({ fallback: { http: 0 } }).source);`, { job: {}, env });
    assert.deepEqual(await program.ended, { code: 0, signal: null, stdout: "bind\n", stderr: "" });
  });

  check("is not asked where a descriptor is chosen by hand", async (t) => {
    const source = `const { source, sockets } = activate({ fallback: { http: 0 }, fd: 3 }); console.log(source, sockets("http")[0].fd);`;
    const program = startProgram(t, source, { job: { http: hold(t) } });
    assert.equal((await program.ended).stdout, "fd 3\n");
    assert.deepEqual(program.report(), []);
  });

  check("says with ROUSE_DEBUG=activation what it was asked and gave", async (t) => {
    const env = { ROUSE_DEBUG: "activation" };
    const program = startProgram(t, "activate({ fallback: { http: 0, admin: 0 } });", { job: { http: hold(t) }, env });
    const { stderr } = await program.ended;
    assert.match(stderr, /"http" gives \[3\]\n.*"admin" gives \{"errno":2\}\n.*source launchd: "http" descriptor 3 /);
  });
});

describe("a built executable under launchd", { skip: process.platform !== "linux" || process.arch !== "x64" }, () => {
  let folder: string;
  before(() => {
    folder = writeProject({
      "package.json": { name: "lunchd", version: "1.0.0", type: "module" },
      "rouse.config.json": {
        entry: "server.ts",
        packages: [],
        sockets: { http: 8080, admin: 8081, stats: "udp:8125" },
      },
      "server.ts": `import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { activate } from "rouse";
const activation = activate({ fallback: { http: 0, elsewhere: 0 } });
for (const name of ["http", "admin"]) {
  await activation.listen(createServer((request, response) => response.end(name + " from " + activation.source)), name as "http");
}
const socket = createSocket("udp4");
socket.on("message", (message, { port }) => socket.send("stats " + message, port));
await activation.listen(socket, "stats" as "http");
console.log("listening");
`,
    });
    const { code, stderr } = rouse(["build", folder, "--quiet"]);
    assert.equal(code, 0, stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const start = (t: TestContext, options: LaunchdOptions) =>
    startUnderLaunchd(t, join(folder, "out/linux-x64/lunchd"), [], options);

  check("asks for the names that it was built with, whatever its fallback says", async (t) => {
    const [v4, v6, admin, stats] = [hold(t), hold(t, { host: "::1" }), hold(t), hold(t, { type: "datagram" })];
    const program = start(t, { job: { http: [v4, v6], admin, stats, elsewhere: hold(t) } });
    await program.printed("listening");
    assert.equal(await ask(v4), "http from launchd");
    assert.equal(await ask(v6, "[::1]"), "http from launchd");
    assert.equal(await ask(admin), "admin from launchd");
    assert.equal(await exchange(stats, "ping"), "stats ping");
    await stop(program);
    assert.deepEqual(program.report().sort(), [
      "call admin 0",
      "call http 0",
      "call stats 0",
      "free admin",
      "free http",
      "free stats",
    ]);
  });

  check("says which name of the definition its job lacks", async (t) => {
    const { code, stderr } = await start(t, { job: { http: hold(t), stats: hold(t, { type: "datagram" }) } }).ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^lunchd: no socket is named "admin"; passed: "http" descriptor 3 [^,]+, "stats" descriptor 4 [^;]+; asked for: http, admin, stats\. Add "admin" to Sockets in the job's plist, and load it again\.\n$/,
    );
  });
});
