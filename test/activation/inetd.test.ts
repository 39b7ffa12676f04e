import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it, type TestContext } from "node:test";
import { type Inetd, type InetdService, inetds, startInetd } from "../helpers/inetd.ts";
import { holdSocket, receiveDatagram } from "../helpers/passed-socket.ts";
import { makeProject, writeProject } from "../helpers/project.ts";
import { rouse } from "../helpers/rouse.ts";
import { has } from "../helpers/tools.ts";
import { moduleText, node } from "./program.ts";

type Kind = keyof typeof inetds;

const HTTP = `const answer = (request, response) => response.end(activation.source + " " + request.url + " " + process.pid);
  await activation.listen(http.createServer(answer), "http");`;

function check(kind: Kind, title: string, body: (t: TestContext) => Promise<void>): void {
  it(title, { timeout: 30_000 }, async (t) => {
    if (has(t, inetds[kind], kind)) await body(t);
  });
}

/** Without any option of Node's: what it says on stderr would reach the client. */
function program(t: TestContext, source: string): string {
  const folder = makeProject(t, { "program.mjs": moduleText(source) });
  const path = join(folder, "program");
  writeFileSync(path, `#!/bin/sh\nexec ${node} ${folder}/program.mjs "$@"\n`, { mode: 0o755 });
  return path;
}

for (const kind of Object.keys(inetds) as Kind[]) {
  const start = (t: TestContext, program: string, service: Partial<InetdService>): Promise<Inetd> =>
    startInetd(t, kind, { type: "stream", wait: true, program, ...service });

  describe(`${kind}, wait`, () => {
    check(
      kind,
      "serves the listening socket, gives it back when idle, and is started again by the next request",
      async (t) => {
        const source = `const activation = activate({ fallback: { http: 0 }, idleExit: "1s" }); ${HTTP}`;
        const inetd = await start(t, program(t, source), {});
        const [, , first] = await ask(inetd);
        assert.deepEqual(await ask(inetd), ["inetd", "/", first], "one process serves all");
        await inetd.ended(1);
        const [, , second] = await ask(inetd);
        assert.notEqual(second, first);
        assert.deepEqual(inetd.exits, [0]);
      },
    );

    check(kind, "leaves to the next process who comes while one drains", async (t) => {
      const source = `const activation = activate({ fallback: { http: 0 } });
        await activation.listen(http.createServer((request, response) => {
          if (request.url === "/stop") process.kill(process.pid, "SIGTERM");
          response.end("from " + request.url + " " + process.pid);
        }), "http");`;
      const inetd = await start(t, program(t, source), {});
      const [, , first] = await ask(inetd, "/stop");
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(inetd)));
      await inetd.ended(1);
      assert.equal(inetd.exits[0], 0);
      assert.notEqual((await ask(inetd))[2], first);
      assert.equal(answers.length, 20);
    });

    for (const [title, before, args] of [
      ["--fd 0", [], ["--fd", "0"]],
      ["--fd=0", [], ["--fd=0"]],
      ["-f 0", [], ["-f", "0"]],
      ["SERVER_LISTEN_FD=0", ["SERVER_LISTEN_FD=0"], []],
    ] as const) {
      check(kind, `serves by ${title}`, async (t) => {
        const source = `const activation = activate({ fallback: { http: 0 }, fdFlag: true });
          if (process.argv.length > 3 || process.argv[2] !== "serve") process.exit(9); ${HTTP}`;
        const path = program(t, source);
        // inetd.conf has no variables.
        const inetd = await start(t, "/usr/bin/env", { args: [...before, path, "serve", ...args] });
        assert.deepEqual((await ask(inetd)).slice(0, 2), ["fd", "/"]);
      });
    }

    check(kind, "serves datagrams, and leaves what comes later to the next process", async (t) => {
      const source = `const activation = activate({ fallback: { stats: "udp:0" }, idleExit: "1s" });
        const socket = dgram.createSocket("udp4");
        socket.on("message", (message, { port, address }) =>
          socket.send([activation.source, message, socket.address().port, process.pid].join(" "), port, address));
        await activation.listen(socket, "stats");`;
      const inetd = await start(t, program(t, source), { type: "datagram" });
      const [answers] = await exchange(inetd, ["one", "two"]);
      const pid = answers!.split(" ").at(-1);
      assert.deepEqual(await exchange(inetd, ["three"]), [`inetd three ${inetd.port} ${pid}`]);
      await inetd.ended(1);
      const [later] = await exchange(inetd, ["four"]);
      assert.match(later!, new RegExp(`^inetd four ${inetd.port} `));
      assert.notEqual(later!.split(" ").at(-1), pid);
      assert.deepEqual(inetd.exits, [0]);
    });

    check(kind, "serves a listening socket with a program that can also be started for each connection", async (t) => {
      const source = `const activation = activate({ fallback: { http: 0 }, accept: "connection" }); ${HTTP}`;
      const inetd = await start(t, program(t, source), {});
      assert.deepEqual((await ask(inetd)).slice(0, 2), ["inetd", "/"]);
      assert.deepEqual((await ask(inetd)).slice(0, 2), ["inetd", "/"]);
    });
  });

  describe(`${kind}, nowait`, () => {
    const nowait = { wait: false };
    const PER_CONNECTION = `const activation = activate({ fallback: { http: 0 }, accept: "connection" });`;

    check(kind, "serves one connection of HTTP, keep-alive and all, and ends", async (t) => {
      const inetd = await start(t, program(t, `${PER_CONNECTION} ${HTTP}`), nowait);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const [source, one, pid] = await ask(inetd, "/one", agent);
      assert.deepEqual([source, one], ["inetd", "/one"]);
      assert.deepEqual(await ask(inetd, "/two", agent), ["inetd", "/two", pid]);
      const [, , other] = await ask(inetd, "/other");
      assert.notEqual(other, pid, "each connection has a process");
      agent.destroy();
      await inetd.ended(2);
      assert.deepEqual(inetd.exits, [0, 0]);
    });

    check(kind, "says nothing to the client but what the server says", async (t) => {
      const source = `${PER_CONNECTION} activation.ready("warm"); activation.status("serving");
        await activation.listen(http.createServer((request, response) => { response.sendDate = false; response.end("ok"); }), "http");`;
      const inetd = await start(t, program(t, source), nowait);
      const client = connectTo(inetd);
      client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      assert.equal(await text(client), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
      await inetd.ended(1);
      assert.deepEqual(inetd.exits, [0]);
    });

    for (const [title, source] of [
      ["why it cannot serve", `${PER_CONNECTION} await activation.listen(http.createServer(), "nothing");`],
      ["what it found, with ROUSE_DEBUG", `process.env.ROUSE_DEBUG = "activation"; ${PER_CONNECTION} process.exit(1);`],
    ] as const) {
      check(kind, `does not say to the client ${title}`, async (t) => {
        const inetd = await start(t, program(t, source.replace("http: 0", "http: 0, other: 0")), nowait);
        assert.equal(await text(connectTo(inetd)), "");
        await inetd.ended(1);
        assert.deepEqual(inetd.exits, [1]);
      });
    }

    check(kind, "gives the connection itself, and tells who is at the other end", async (t) => {
      const source = `const { connection, peer, source } = activate({ accept: "connection" });
        connection.write(JSON.stringify([source, peer]) + "\\n");
        connection.pipe(connection);`;
      const inetd = await start(t, program(t, source), nowait);
      const client = connectTo(inetd);
      client.end("echo me");
      const [port] = [await once(client, "connect").then(() => client.localPort)];
      assert.equal(await text(client), `["inetd",{"address":"127.0.0.1","port":${port}}]\necho me`);
      await inetd.ended(1);
      assert.deepEqual(inetd.exits, [0]);
    });

    check(kind, "ends, having drained, when the client leaves without a word", async (t) => {
      const inetd = await start(t, program(t, `${PER_CONNECTION} ${HTTP}`), nowait);
      const client = connectTo(inetd);
      await once(client, "connect");
      client.end();
      await inetd.ended(1);
      assert.deepEqual(inetd.exits, [0]);
    });

    check(kind, "starts programs that know only stdin and stdout", async (t) => {
      const source = `let line = ""; for await (const data of process.stdin) line += data;
        process.stdout.write(line.toUpperCase());`;
      const inetd = await start(t, program(t, source), nowait);
      const client = connectTo(inetd);
      client.end("loud");
      assert.equal(await text(client), "LOUD");
      await inetd.ended(1);
      assert.deepEqual(inetd.exits, [0]);
    });
  });
}

it("says in the system's log what the client must not see", { timeout: 30_000 }, async (t) => {
  if (!has(t, "unshare", "util-linux")) return;
  if (process.getuid!() !== 0) return t.skip("only root can have a /dev of its own");
  const folder = makeProject(t, {});
  const log = holdSocket({ path: join(folder, "log"), type: "datagram" });
  const { fd, close } = holdSocket();
  const source = `await activate({ fallback: { http: 0 } }).listen(http.createServer(), "nothing");`;
  const script = `mount -t tmpfs none /dev && ln -s ${folder}/log /dev/log && exec ${program(t, source)}`;
  const child = spawn("unshare", ["--mount", "sh", "-c", script], { stdio: [fd, fd, fd] });
  const [code] = await once(child, "exit");
  assert.equal(code, 1);
  assert.match(
    receiveDatagram(log)!,
    new RegExp(`^<29>program\\.mjs\\[${child.pid}\\]: no socket is named "nothing"; passed: "http" descriptor 0 `),
  );
  close();
  log.close();
});

describe("a built executable under inetd", { skip: process.platform !== "linux" || process.arch !== "x64" }, () => {
  let folder: string;
  let executable: string;
  before(() => {
    folder = writeProject({
      "package.json": { name: "super", version: "1.0.0", type: "module" },
      "rouse.config.json": {
        entry: "server.ts",
        packages: [],
        idleExit: "1s",
        sockets: { http: 8080, stats: "udp:8125" },
      },
      "server.ts": `import { createServer } from "node:http";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { activate } from "rouse";
if (process.argv[2] === "udp") {
  const activation = activate({ fallback: { stats: "udp:8125" } });
  const socket = createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send(activation.source + " " + message, port, address));
  activation.listen(socket, "stats");
} else if (process.argv[2] === "plain") {
  process.stdin.pipe(process.stdout);
} else {
  const activation = activate({ fallback: { http: 8080 }, accept: "connection" });
  activation.listen(createServer((request, response) => response.end([activation.source, request.url, process.pid].join(" "))), "http");
}
`,
    });
    const { code, stderr } = rouse(["build", folder, "--quiet"]);
    assert.equal(code, 0, stderr);
    executable = join(folder, "out/linux-x64/super");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const kind of Object.keys(inetds) as Kind[]) {
    check(kind, `${kind}: TCP wait, back to inetd by the definition's idleExit`, async (t) => {
      const inetd = await startInetd(t, kind, { type: "stream", wait: true, program: executable });
      const [source, , first] = await ask(inetd);
      assert.equal(source, "inetd");
      assert.deepEqual(await ask(inetd, "/again"), ["inetd", "/again", first]);
      await inetd.ended(1);
      assert.notEqual((await ask(inetd))[2], first);
      assert.deepEqual(inetd.exits, [0]);
    });

    check(kind, `${kind}: TCP nowait`, async (t) => {
      const inetd = await startInetd(t, kind, { type: "stream", wait: false, program: executable });
      const [first, second] = await Promise.all([ask(inetd), ask(inetd)]);
      assert.equal(first[0], "inetd");
      assert.notEqual(first[2], second[2]);
      await inetd.ended(2);
      assert.deepEqual(inetd.exits, [0, 0]);
    });

    check(kind, `${kind}: UDP wait`, async (t) => {
      const udp = { type: "datagram", wait: true, program: executable, args: ["udp"] } as const;
      const inetd = await startInetd(t, kind, udp);
      assert.deepEqual(await exchange(inetd, ["a"]), ["inetd a"]);
      await inetd.ended(1);
      assert.deepEqual(await exchange(inetd, ["b"]), ["inetd b"]);
      assert.deepEqual(inetd.exits, [0]);
    });

    check(kind, `${kind}: stdin and stdout`, async (t) => {
      const inetd = await startInetd(t, kind, { type: "stream", wait: false, program: executable, args: ["plain"] });
      const client = connectTo(inetd);
      client.end("echo me");
      assert.equal(await text(client), "echo me");
      await inetd.ended(1);
      assert.deepEqual(inetd.exits, [0]);
    });
  }
});

// --- internal ---

/** The words of an HTTP answer; on a connection of its own unless an agent is given. */
async function ask({ port }: Inetd, path = "/", agent: Agent | false = false): Promise<string[]> {
  const signal = AbortSignal.timeout(PATIENCE);
  const [response] = await once(get({ port, host: "127.0.0.1", path, agent, signal }), "response");
  return (await text(response)).split(" ");
}

/** A client that gives up where nothing comes. */
function connectTo({ port }: Inetd): Socket {
  const client = connect(port, "127.0.0.1");
  return client.setTimeout(PATIENCE, () => client.destroy(new Error("nothing came")));
}

/** Sends each datagram when the one before is answered, and gives the answers. */
async function exchange({ port }: Inetd, messages: readonly string[]): Promise<string[]> {
  const socket = createSocket("udp4");
  const answers: string[] = [];
  try {
    for (const message of messages) {
      socket.send(message, port, "127.0.0.1");
      const [answer] = await once(socket, "message", { signal: AbortSignal.timeout(PATIENCE) });
      answers.push(String(answer));
    }
  } finally {
    socket.close();
  }
  return answers;
}

/** Milliseconds. */
const PATIENCE = 20_000;
