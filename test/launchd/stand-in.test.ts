import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, it, type TestContext } from "node:test";
import { moduleText, node } from "../activation/program.ts";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { has } from "../helpers/tools.ts";
import { compileAsker, type Job, LABEL, startInJob } from "./job.ts";

const { EALREADY, ENOENT, ESRCH } = constants.errno;
const limits = { timeout: 60_000 };

function hold(t: TestContext, options: Parameters<typeof holdSocket>[0] = {}): HeldSocket {
  const socket = holdSocket(options);
  t.after(() => socket.close());
  return socket;
}

/** What a program in C is given, line by line. */
async function ask(t: TestContext, args: readonly string[], job: Job, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const program = compileAsker(t);
  const command = args.map((arg) => (arg === "SELF" ? program : arg));
  const { code, stdout, stderr } = await (await startInJob(t, program, command, job, { env })).ended;
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.trimEnd().split("\n");
}

function check(title: string, body: (t: TestContext) => Promise<void>): void {
  it(title, limits, async (t) => {
    if (has(t, "cc", "gcc libc6-dev")) await body(t);
  });
}

describe("launch_activate_socket of the stand-in", () => {
  for (const way of ["weak", "dlsym"]) {
    check(`gives a program in C its sockets by name (${way})`, async (t) => {
      const lines = await ask(t, [way, "admin", "http", "none"], { http: [hold(t), hold(t)], admin: [hold(t)] });
      assert.deepEqual(lines, ["admin: 0 5 socket", "http: 0 3 socket 4 socket", `none: ${ENOENT}`]);
    });
  }

  check("gives a name once", async (t) => {
    const lines = await ask(t, ["weak", "http", "http", "admin", "http"], { http: [hold(t)], admin: [hold(t)] });
    assert.deepEqual(lines, ["http: 0 3 socket", `http: ${EALREADY}`, "admin: 0 4 socket", `http: ${EALREADY}`]);
  });
  check("gives a name once to 100 threads that ask together", async (t) => {
    assert.deepEqual(await ask(t, ["threads", "http"], { http: [hold(t)] }), ["1 given, 99 EALREADY"]);
  });

  check("answers ESRCH in a process that has not inherited the sockets", async (t) => {
    const args = ["close-and-exec", "SELF", "weak", "http", "none"];
    assert.deepEqual(await ask(t, args, { http: [hold(t)] }), [`http: ${ESRCH}`, `none: ${ENOENT}`]);
  });

  check("gives them to a program that the first one has become or started, as a wrapper does", async (t) => {
    const args = ["exec", "/bin/sh", "-c", '"$0" "$@"; exit $?', "SELF", "weak", "http"];
    assert.deepEqual(await ask(t, args, { http: [hold(t)] }), ["http: 0 3 socket"]);
  });

  check("answers ESRCH where something else has the socket's number, though it is a socket", async (t) => {
    const other = hold(t);
    const source = `require("child_process").spawnSync(process.argv[1], ["weak", "http", "admin"],
      { stdio: ["ignore", "inherit", "inherit", 4] });`;
    const args = ["exec", node, "--eval", source, "SELF"];
    assert.deepEqual(await ask(t, args, { admin: [hold(t)], http: [other] }), [`http: ${ESRCH}`, `admin: ${ESRCH}`]);
  });
});

describe("the runtime over the stand-in", () => {
  it("serves what it is given by the source launchd", limits, async (t) => {
    const [http, http2, admin] = [hold(t), hold(t), hold(t)];
    const source = `const activation = activate({ fallback: { http: 0, admin: 0 } });
      for (const name of ["http", "admin"]) await activation.listen(http.createServer((request, response) =>
        response.end([name, activation.source, process.env.XPC_SERVICE_NAME].join())), name);
      console.log("listening");`;
    const args = ["--input-type=module", "--eval", moduleText(source)];
    const program = await startInJob(t, node, args, { http: [http, http2], admin: [admin] });
    await program.printed("listening");
    for (const [socket, name] of [
      [http, "http"],
      [http2, "http"],
      [admin, "admin"],
    ] as const) {
      const response = await fetch(`http://127.0.0.1:${socket.port}/`, { signal: AbortSignal.timeout(20_000) });
      assert.equal(await response.text(), `${name},launchd,${LABEL}`);
    }
    program.child.kill("SIGTERM");
    assert.deepEqual(await program.ended, { code: 0, signal: null, stdout: "listening\n", stderr: "" });
  });
});
