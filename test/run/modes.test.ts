/** Every way of handing sockets over serves a real request, from programs that know Rouse and from others. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { moduleText, node } from "../activation/program.ts";
import { ask, askDatagram, askLine } from "../helpers/ask.ts";
import { compileC } from "../helpers/compile-c.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { startRun } from "../helpers/run.ts";
import { has } from "../helpers/tools.ts";

const programs = join(import.meta.dirname, "programs");
const limit = { timeout: 60_000 };
/** Any free port of the loopback. */
const free = "127.0.0.1:0";

function test(title: string, body: (t: TestContext) => Promise<void>): void {
  it(title, limit, body);
}

/** With a C compiler. */
function testC(title: string, body: (t: TestContext, program: string) => Promise<void>): void {
  it(title, limit, async (t) => {
    if (has(t, "cc", "gcc libc6-dev")) await body(t, compileC(t, join(programs, "listen-fds.c")));
  });
}

/** A server in TypeScript that says which socket a request came through, and where its sockets came from. */
const web = `import { createServer } from "node:http";
import { activate } from "rouse";
const activation = activate({ fdFlag: true, fallback: { http: "127.0.0.1:0" } });
const server = createServer((request, response) => response.end(\`http from \${activation.source}\`));
await activation.listen(server, "http");
const { port } = server.address() as { port: number };
console.log(\`serving on \${port}\`);
await activation.ready();
`;

/** What this prints is what the client reads: under inetd's wait, too, stdout is the socket. */
const silent = web.replace(/console\.log\(.*\);\n/, "");

const perConnection = `import { createServer } from "node:http";
import { activate } from "rouse";
const activation = activate({ accept: "connection", fallback: { http: "127.0.0.1:0" } });
const server = createServer((request, response) => {
  response.setHeader("Connection", "close");
  response.end(\`http from \${activation.source} \${process.pid} \${activation.peer?.address}\`);
});
await activation.listen(server, "http");
`;

describe("a service in TypeScript", () => {
  for (const as of ["systemd", "launchd", "fd"] as const) {
    test(`serves the socket that comes as ${as} gives it`, async (t) => {
      if (as === "launchd" && !has(t, "cc", "gcc libc6-dev")) return;
      const run = startRun(t, [makeProject(t, hello({ server: web })), "--as", as, "-s", `http=${free}`]);
      const port = await run.port("http");
      assert.equal(await ask({ port }), `http from ${as}`);
      const [, served] = await run.printed(/serving on (\d+)/);
      assert.equal(Number(served), port);
      assert.deepEqual(await run.stop(), { code: 0, signal: null });
    });
  }

  test("serves the socket on descriptor 0 as inetd gives it, wait", async (t) => {
    const run = startRun(t, [makeProject(t, hello({ server: silent })), "--as", "inetd", "-s", `http=${free}`]);
    assert.equal(await ask({ port: await run.port("http") }), "http from inetd");
  });

  test("binds by itself where nothing is passed", async (t) => {
    const run = startRun(t, [makeProject(t, hello({ server: web })), "--as", "bind"]);
    const [, port] = await run.printed(/serving on (\d+)/);
    assert.equal(await ask({ port: Number(port) }), "http from bind");
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
  });

  for (const as of ["systemd", "inetd"] as const) {
    test(`is started for each connection, as ${as} does it`, async (t) => {
      const definition = { sockets: { http: { listen: 8080, accept: "connection" } } };
      const project = makeProject(t, hello({ definition, server: perConnection }));
      const run = startRun(t, [project, "--as", as, "-s", `http=${free}`]);
      const port = await run.port("http");
      const answers = await Promise.all([ask({ port }), ask({ port })]);
      for (const answer of answers) assert.match(answer, new RegExp(`^http from ${as} \\d+ 127\\.0\\.0\\.1$`));
      assert.equal(new Set(answers).size, 2, "two processes");
    });
  }

  test("serves several names, TCP, UDP and unix", async (t) => {
    const server = `import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { activate } from "rouse";
const activation = activate({ fallback: { http: 0, admin: 0, shared: 0, stats: "udp:0" } });
for (const name of ["http", "admin", "shared"] as const) {
  await activation.listen(createServer((request, response) => response.end(name)), name);
}
const socket = createSocket("udp4");
socket.on("message", (message, { port, address }) => socket.send(\`stats \${message}\`, port, address));
await activation.listen(socket, "stats");
await activation.ready();
`;
    const sockets = { http: 8080, admin: 8081, shared: "unix:/run/shared.sock", stats: "udp:8125" };
    const project = makeProject(t, hello({ definition: { sockets }, server }));
    const path = join(project, "shared.sock");
    const where = [`http=${free}`, `admin=${free}`, `stats=udp:${free}`, `shared=${path}`];
    for (const as of ["systemd", "launchd"]) {
      if (as === "launchd" && !has(t, "cc", "gcc libc6-dev")) return;
      const run = startRun(t, [project, "--as", as, ...where.flatMap((each) => ["-s", each])]);
      for (const name of ["http", "admin"]) assert.equal(await ask({ port: await run.port(name) }), name);
      assert.equal(await ask({ path }), "shared");
      assert.equal(await askDatagram(await run.port("stats"), "ping"), "stats ping");
      assert.deepEqual(await run.stop(), { code: 0, signal: null });
    }
  });

  test("serves every address of a name with one server", async (t) => {
    const project = makeProject(t, hello({ server: web }));
    const run = startRun(t, [project, "-s", `http=${free}`, "-s", `http=${free}`, "-s", "http=[::1]:0"]);
    const { sockets } = await run.event("listening");
    const places = sockets.flatMap(({ address }) => (address.type === "tcp" ? [address] : []));
    assert.equal(places.length, 3);
    for (const { host, port } of places) assert.equal(await ask({ host: host!, port }), "http from systemd");
  });

  test("gets datagrams as inetd gives them, wait", async (t) => {
    const server = `import { createSocket } from "node:dgram";
import { activate } from "rouse";
const activation = activate({ fallback: { stats: "udp:0" } });
const socket = createSocket("udp4");
socket.on("message", (message, { port, address }) => socket.send(\`\${activation.source} \${message}\`, port, address));
await activation.listen(socket, "stats");
`;
    const project = makeProject(t, hello({ definition: { sockets: { stats: "udp:8125" } }, server }));
    const run = startRun(t, [project, "--as", "inetd", "-s", `stats=udp:${free}`]);
    assert.equal(await askDatagram(await run.port("stats"), "ping"), "inetd ping");
  });
});

describe("a program that knows only LISTEN_FDS", () => {
  testC("finds its own pid, and every socket under its name", async (t, program) => {
    const path = join(makeProject(t, {}), "s.sock");
    const sockets = [`http=${free}`, `admin=${free}`, `stats=udp:${free}`, `local=${path}`];
    const run = startRun(t, [...sockets.flatMap((each) => ["--socket", each]), "--", program]);
    const { pid } = await run.event("started");
    for (const name of ["http", "admin"]) assert.equal(await ask({ port: await run.port(name) }), `${name} ${pid}\n`);
    assert.equal(await ask({ path }), `local ${pid}\n`);
    assert.equal(await askDatagram(await run.port("stats"), "ping"), "stats ping");
  });

  testC("gets twenty sockets in their order", async (t, program) => {
    const names = Array.from({ length: 20 }, (_, index) => `number-${index}`);
    const run = startRun(t, [...names.flatMap((name) => ["-s", `${name}=${free}`]), "--", program]);
    const { pid } = await run.event("started");
    const { sockets } = await run.event("listening");
    assert.deepEqual(
      sockets.map(({ name, descriptor }) => [name, descriptor]),
      names.map((name, index) => [name, 3 + index]),
    );
    for (const name of names) assert.equal(await ask({ port: await run.port(name) }), `${name} ${pid}\n`);
  });

  testC("is started for each connection with --accept", async (t, program) => {
    const run = startRun(t, ["--accept", "-s", `http=${free}`, "--", program]);
    const port = await run.port("http");
    const answers = await Promise.all([ask({ port }), ask({ port }), ask({ port })]);
    // sd_listen_fds(3) names what Accept=yes passes "connection".
    for (const answer of answers) assert.match(answer, /^connection \d+\n$/);
    assert.equal(new Set(answers).size, 3, "three processes");
  });

  testC("is served behind a wrapper with --no-pid", async (t, program) => {
    const wrapper = ["/bin/sh", "-c", '"$0" --no-pid; true', program];
    const run = startRun(t, ["--no-pid", "-s", `http=${free}`, "--", ...wrapper]);
    assert.match(await ask({ port: await run.port("http") }), /^http \d+\n$/);
  });

  testC("finds by --fd N the Nth socket, as static-web-server has it", async (t, program) => {
    // As systemfd's users spell it, too.
    for (const [sockets, args, env] of [
      [["-s", `http::${free}`], ["--fd", "0"], {}],
      [["-s", `admin=${free}`, "-s", `http=${free}`], ["--fd", "1"], {}],
      [["-s", `admin=${free}`, "-s", `http=${free}`], [], { SERVER_LISTEN_FD: "1" }],
    ] as const) {
      const run = startRun(t, [...sockets, "--", program, ...args], { env });
      assert.match(await ask({ port: await run.port("http") }), /^http \d+\n$/);
      await run.stop();
    }
  });
});

describe("a program of Node's", () => {
  const plain = `import { createServer } from "node:http";
createServer((request, response) => response.end("plain")).listen({ fd: 3 });
`;

  for (const as of ["systemd", "fd"]) {
    test(`serves descriptor 3 as ${as} gives it, and knows nothing else`, async (t) => {
      const file = join(makeProject(t, { "plain.mjs": plain }), "plain.mjs");
      const run = startRun(t, ["--as", as, "-s", `http=${free}`, "--", node, file]);
      assert.equal(await ask({ port: await run.port("http") }), "plain");
    });
  }

  test("serves with our runtime what --fd 0 says", async (t) => {
    const source = `const activation = activate({ fdFlag: true, fallback: { http: 0 } });
      await activation.listen(http.createServer((request, response) => response.end(activation.source)), "http");`;
    const file = join(makeProject(t, { "fd.mjs": moduleText(source) }), "fd.mjs");
    const run = startRun(t, ["-s", `http::${free}`, "--", node, file, "--fd", "0"]);
    assert.equal(await ask({ port: await run.port("http") }), "fd");
  });
});

describe("a shell script", () => {
  test("is the service of a definition, with its connection as descriptor 0", async (t) => {
    const project = makeProject(t, {
      "package.json": { name: "quote", version: "1.0.0" },
      "rouse.config.json": {
        exec: join(programs, "quote.sh"),
        sockets: { quote: { listen: 17, accept: "connection" } },
        connection: { stdin: "socket" },
      },
    });
    for (const as of ["systemd", "inetd"]) {
      const run = startRun(t, [project, "--as", as, "-s", `quote=${free}`]);
      assert.equal(await askLine(await run.port("quote"), "hello"), "you said: hello\n");
      await run.stop();
    }
  });

  test("answers each connection on its standard input and output, as inetd does it with nowait", async (t) => {
    const run = startRun(t, ["--as", "inetd", "--accept", "-s", `quote=${free}`, "--", join(programs, "quote.sh")]);
    const port = await run.port("quote");
    const answers = await Promise.all(["one", "two", "three"].map((line) => askLine(port, line)));
    assert.deepEqual(answers, ["you said: one\n", "you said: two\n", "you said: three\n"]);
  });
});
