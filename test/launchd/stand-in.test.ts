import assert from "node:assert/strict";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { writeStandIn } from "../../launchd/stand-in.ts";
import { bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import { RouseError } from "../../src/problem.ts";
import { moduleText, node, start } from "../activation/program.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { has } from "../helpers/tools.ts";
import { checkContract } from "./contract.ts";
import { compileAsker, hold, LABEL, makeFolder, startInJob, target } from "./job.ts";

const { ESRCH } = constants.errno;
const limits = { timeout: 60_000 };

describe("the stand-in for launchd", () => {
  checkContract((t) => (has(t, "cc", "gcc libc6-dev") ? { command: [compileAsker(t)] } : undefined));
});

describe("the runtime over the stand-in", () => {
  it("serves what it is given by the source launchd", limits, async (t) => {
    const [http, http2, admin] = [hold(t), hold(t, { host: "::1" }), hold(t)];
    const source = `const activation = activate({ fallback: { http: 0, admin: 0 } });
      for (const name of ["http", "admin"]) await activation.listen(http.createServer((request, response) =>
        response.end([name, activation.source, process.env.XPC_SERVICE_NAME].join())), name);
      console.log("listening");`;
    const program = await startInJob(t, node, module(source), { http: [http, http2], admin: [admin] });
    await program.printed("listening");
    for (const [host, { port }, name] of [
      ["127.0.0.1", http, "http"],
      ["[::1]", http2, "http"],
      ["127.0.0.1", admin, "admin"],
    ] as const) {
      const response = await fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(20_000) });
      assert.equal(await response.text(), `${name},launchd,${LABEL}`);
    }
    program.child.kill("SIGTERM");
    assert.deepEqual(await program.ended, { code: 0, signal: null, stdout: "listening\n", stderr: "" });
  });

  it(
    "is not deceived in a process that the program starts, whose channel has the socket's number",
    limits,
    async (t) => {
      const folder = makeProject(t, {
        "child.mjs": moduleText(`const { source } = activate({ fallback: { http: 0 } });
        fs.fstatSync(3); console.log("child", source); process.disconnect();`),
        "program.mjs": moduleText(`const { fork } = await import("node:child_process");
        console.log("program", activate({ fallback: { http: 0 } }).source);
        fork(process.argv[2]);`),
      });
      const args = [join(folder, "program.mjs"), join(folder, "child.mjs")];
      const { stdout, stderr } = await (await startInJob(t, node, args, { http: [hold(t)] })).ended;
      assert.deepEqual([stdout, stderr], ["program launchd\nchild bind\n", ""]);
    },
  );
});

describe("programs around the one that asks", () => {
  it("passes a shell and what it starts", limits, async (t) => {
    if (!has(t, "cc", "gcc libc6-dev")) return;
    const args = ["-c", '"$0" "$@"; exit $?', compileAsker(t), "weak", "ask", "http"];
    const { stdout } = await (await startInJob(t, "/bin/sh", args, { http: [hold(t)] })).ended;
    assert.equal(stdout, "http: 0 3\n");
  });

  it("answers ESRCH in a program that does not get the sockets", limits, async (t) => {
    if (!has(t, "cc", "gcc libc6-dev")) return;
    const program = compileAsker(t);
    const args = ["weak", "ask", "http", "close", "3", "exec", program, "weak", "ask", "http"];
    const { stdout } = await (await startInJob(t, program, args, { http: [hold(t)] })).ended;
    assert.equal(stdout, `http: 0 3\nhttp: ${ESRCH}\n`);
  });

  it("stays beside what is preloaded already", async (t) => {
    const folder = makeFolder(t);
    const env = { LD_PRELOAD: "/x.so /y.so" };
    const library = join(folder, "librouse-launchd.so");
    assert.deepEqual(await writeStandIn(folder, { target, label: "a", sockets: {}, env }), {
      env: { XPC_SERVICE_NAME: "a", LD_PRELOAD: `/x.so /y.so:${library}` },
    });
  });

  it("is written without a word of Node's about what it uses for that", limits, async (t) => {
    const source = `import { writeStandIn } from ${JSON.stringify(import.meta.resolve("../../launchd/stand-in.ts"))};
      await writeStandIn(process.argv[1], { target: process.argv[2], label: "a", sockets: {}, env: {} });`;
    const args = ["--input-type=module", "--eval", source, makeFolder(t), target];
    const { code, stderr } = await start(node, args).ended;
    assert.deepEqual([code, stderr], [0, ""]);
  });

  it("is written anew beside a program that has loaded the old one", limits, async (t) => {
    const folder = makeFolder(t);
    const source = `process.once("SIGUSR2", () => {
        const { source, sockets } = activate({ fallback: { http: 0 } }); console.log(source, sockets("http").length); process.exit();
      });
      setInterval(() => {}, 60_000); console.log("waiting");`;
    const old = await startInJob(t, node, module(source), { http: [hold(t), hold(t)] }, { folder });
    await old.printed("waiting");
    const { stdout } = await (
      await startInJob(
        t,
        node,
        module(`console.log(activate({ fallback: { new: 0 } }).source)`),
        { new: [hold(t)] },
        { folder },
      )
    ).ended;
    old.child.kill("SIGUSR2");
    assert.deepEqual([stdout, (await old.ended).stdout], ["launchd\n", "waiting\nlaunchd 2\n"]);
  });
});

it("is not in what is built", async (t) => {
  const { code } = await bundleService(await readService(makeProject(t, hello())));
  assert.match(code, /launch_activate_socket/);
  assert.doesNotMatch(code, /librouse-launchd|LD_PRELOAD|DYLD_INSERT/);
});

describe("what stands in the way of the stand-in", () => {
  for (const letter of [" ", ":", "$", "\t"]) {
    it(`is said of a folder with ${JSON.stringify(letter)} in its name`, async (t) => {
      const folder = makeFolder(t, `rouse${letter}-`);
      await assertRefused(writeStandIn(folder, { target, label: LABEL, sockets: {}, env: {} }), {
        code: "stand-in-path",
        what: `the stand-in for launchd cannot be preloaded from ${JSON.stringify(folder)}: LD_PRELOAD allows no blank, ":" or "$" in a path`,
        mend: "set TMPDIR to another folder",
      });
    });
  }

  it("is said of a library that cannot be loaded here", async (t) => {
    const other = target === "linux-x64" ? "linux-arm64" : "linux-x64";
    const refused = writeStandIn(makeFolder(t), { target: other, label: LABEL, sockets: {}, env: {} });
    await assertRefused(refused, {
      code: "stand-in-not-loaded",
      what: /^the stand-in for launchd cannot be loaded: .*librouse-launchd\.so/,
      mend: "if the folder is mounted noexec, set TMPDIR to another one",
    });
  });
});

// --- internal ---

function module(source: string): string[] {
  return ["--input-type=module", "--eval", moduleText(source)];
}

async function assertRefused(
  refused: Promise<unknown>,
  expected: { code: string; what: string | RegExp; mend: string },
): Promise<void> {
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof RouseError);
    const [{ code, what, mend }] = error.problems as [(typeof error.problems)[0]];
    assert.deepEqual([code, mend], [expected.code, expected.mend]);
    if (typeof expected.what === "string") assert.equal(what, expected.what);
    else assert.match(what, expected.what);
    return true;
  });
}
