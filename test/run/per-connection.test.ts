import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { askLine } from "../helpers/ask.ts";
import { makeProject } from "../helpers/project.ts";
import { startRun } from "../helpers/run.ts";
import { waitFor } from "../system/wait.ts";
import { script } from "./script.ts";

/** Answers with its environment, once the client has said something. */
const REPORT = `#!/bin/sh
read -r line
echo "line=$line fds=$LISTEN_FDS names=$LISTEN_FDNAMES address=$REMOTE_ADDR port=$REMOTE_PORT notify=\${NOTIFY_SOCKET:+set}"
echo "on stderr" >&2
exit \${line#exit}
`;

function service(t: TestContext, socket: object, connection?: object): string {
  const folder = makeProject(t, {
    "package.json": { name: "report", version: "1.0.0" },
    "rouse.config.json": {
      exec: "report.sh",
      sockets: { report: { listen: 8017, accept: "connection", ...socket } },
      ...(connection && { connection }),
    },
    "report.sh": REPORT,
  });
  chmodSync(join(folder, "report.sh"), 0o755);
  return folder;
}

async function open(port: number): Promise<Socket> {
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  return client;
}

describe("rouse run: a process for each connection", () => {
  it("has it on descriptors 0 and 1 where the definition says so, and its stderr is the launcher's", async (t) => {
    const run = startRun(t, ["--port", "report=0", service(t, {}, { stdin: "socket" })]);
    const port = await run.port("report");
    const client = await open(port);
    const { localPort } = client;
    client.end("exit3\n");
    const answer = await text(client);
    assert.equal(answer, `line=exit3 fds= names= address=127.0.0.1 port=${localPort} notify=set\n`);
    await run.printed(/on stderr/);
    assert.equal((await run.event("exited")).code, 3);
  });

  it("gives its stderr to the client where the definition says so", async (t) => {
    const run = startRun(t, ["--port", "report=0", service(t, {}, { stdin: "socket", stderr: "socket" })]);
    assert.match(await askLine(await run.port("report"), "exit0"), /notify=set\non stderr\n$/);
  });

  it("has everything of it on the connection as inetd does, which tells nothing of the peer", async (t) => {
    const run = startRun(t, ["--as", "inetd", "--port", "report=0", service(t, {})]);
    assert.equal(
      await askLine(await run.port("report"), "exit0"),
      "line=exit0 fds= names= address= port= notify=\non stderr\n",
    );
  });

  it("has it by LISTEN_FDS, under the name connection, with the peer's address", async (t) => {
    const lines = `const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, REMOTE_ADDR, REMOTE_PORT } = process.env;
const socket = new net.Socket({ fd: 3 });
socket.end([LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID === String(process.pid), REMOTE_ADDR, REMOTE_PORT].join());`;
    const run = startRun(t, ["--accept", "-s", "q=[::]:0", "--", ...script(t, lines)]);
    const client = await open(await run.port("q"));
    const { localPort } = client;
    assert.equal(await text(client), `1,connection,true,127.0.0.1,${localPort}`);
    const accepted = await run.event("accepted");
    assert.equal(accepted.peer, `127.0.0.1:${localPort}`);
  });

  it("tells the path of a unix client that has one, and works with one that has none", async (t) => {
    const path = join(makeProject(t, {}), "q.sock");
    const lines = `new net.Socket({ fd: 3 }).end(String(process.env.REMOTE_ADDR));`;
    const run = startRun(t, ["--accept", "-s", `q=${path}`, "--", ...script(t, lines)]);
    await run.event("listening");
    assert.equal(await text(connect(path)), "undefined");
  });

  it("refuses what is over the limit, at once, and serves again when there is room", async (t) => {
    const run = startRun(t, ["--port", "report=0", service(t, { limits: { connections: 2 } }, { stdin: "socket" })]);
    const port = await run.port("report");
    const [one, two] = [await open(port), await open(port)];
    await run.event("accepted");
    const third = await open(port);
    assert.equal(await text(third), "");
    assert.match((await run.event("refused")).limit, /^2 connections$/);
    one.end("exit0\n");
    assert.match(await text(one), /^line=exit0/);
    await run.event("exited");
    assert.match(await askLine(port, "exit0"), /^line=exit0/);
    two.destroy();
  });

  it("refuses too many from one source", async (t) => {
    const folder = service(t, { limits: { connections: 9, perSource: 1 } }, { stdin: "socket" });
    const run = startRun(t, ["--port", "report=0", folder]);
    const port = await run.port("report");
    const one = await open(port);
    assert.equal(await text(await open(port)), "");
    assert.match((await run.event("refused")).limit, /one source/);
    one.destroy();
  });

  it("ends its processes with the run", async (t) => {
    const run = startRun(t, ["--port", "report=0", service(t, {}, { stdin: "socket" })]);
    const client = await open(await run.port("report"));
    const { pid } = await run.event("accepted");
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
    assert.throws(() => process.kill(pid, 0));
    client.destroy();
  });

  it("serves many at a time", async (t) => {
    const run = startRun(t, ["--port", "report=0", service(t, {}, { stdin: "socket" })]);
    const port = await run.port("report");
    const answers = await Promise.all(Array.from({ length: 30 }, async () => await askLine(port, "exit0")));
    for (const answer of answers) assert.match(answer, /^line=exit0 /);
  });

  it("starts nothing for a client that is gone again", async (t) => {
    const run = startRun(t, ["--port", "report=0", service(t, {})]);
    const port = await run.port("report");
    run.child.kill("SIGSTOP"); // So that none is taken before it is gone.
    const status = `/proc/${run.child.pid}/status`;
    await waitFor("for the launcher to halt", async () => /^State:\s+T/m.test(readFileSync(status, "utf8")));
    for (let count = 0; count < 3; count++) {
      const client = await open(port);
      await once(client.resetAndDestroy(), "close");
    }
    const stays = await open(port);
    run.child.kill("SIGCONT");
    const { peer } = await run.event("accepted");
    assert.equal(peer, `127.0.0.1:${stays.localPort}`);
    stays.destroy();
  });

  it("says which process had to be killed at the end", async (t) => {
    const folder = service(t, {});
    writeFileSync(join(folder, "report.sh"), "#!/bin/sh\ntrap '' TERM\necho begun\nwhile :; do sleep 0.1; done\n");
    const definition = JSON.parse(readFileSync(join(folder, "rouse.config.json"), "utf8")) as object;
    writeFileSync(join(folder, "rouse.config.json"), JSON.stringify({ ...definition, stopTimeout: "1s" }));
    const run = startRun(t, ["--port", "report=0", folder]);
    await open(await run.port("report"));
    const { pid } = await run.event("accepted");
    await run.printed(/begun/);
    await run.stop();
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "ignores-signal");
    assert.match(problem.what, new RegExp(`process ${pid} had not ended 1 s after`));
  });
});
