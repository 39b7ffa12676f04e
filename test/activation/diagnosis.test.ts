import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { chooseSockets } from "../../src/activation/choose.ts";
import { ActivationError } from "../../src/activation/error.ts";
import { holdSocket } from "../helpers/passed-socket.ts";
import { makeProject } from "../helpers/project.ts";
import { has } from "../helpers/tools.ts";
import { flags, node, type Program, runProgram, runtime, start } from "./program.ts";

const server = `import { activate } from ${JSON.stringify(runtime)};
  try { activate(); } catch (error) { console.log(error.code, error.message); }`;

async function outcome(program: Program, code: string): Promise<string> {
  await program.printed(code);
  program.child.kill();
  return (await program.ended).stdout;
}

describe("what stands between the manager and the program is named", () => {
  const message = (command: string): RegExp =>
    new RegExp(
      `LISTEN_PID=\\d+ names what started this process .*\`.*${command}.*\`. npm run, node --run and node --watch pass no`,
    );

  it("node --watch", async (t) => {
    const folder = makeProject(t, { "server.mjs": server });
    const passed = holdSocket();
    const program = start(node, [...flags, "--watch", `${folder}/server.mjs`], { sockets: { http: passed } });
    assert.match(await outcome(program, "other-process"), message("--watch"));
    passed.close();
  });

  it("npm run", async (t) => {
    if (!has(t, "npm", "npm")) return;
    const start_ = `'${node}' ${flags.join(" ")} server.mjs`;
    const folder = makeProject(t, { "server.mjs": server, "package.json": { name: "x", scripts: { start: start_ } } });
    const passed = holdSocket();
    const program = start("npm", ["run", "--prefix", folder, "start"], { sockets: { http: passed } });
    assert.match(await outcome(program, "other-process"), message("npm"));
    passed.close();
  });

  it("node --run", async (t) => {
    const start_ = `'${node}' ${flags.join(" ")} ${flags.join(" ")} server.mjs`;
    const folder = makeProject(t, { "server.mjs": server, "package.json": { name: "x", scripts: { start: start_ } } });
    const passed = holdSocket();
    // --run looks for the package.json from the folder that it is started in.
    const program = start("/bin/sh", ["-c", `cd '${folder}' && LISTEN_PID=$$ exec '${node}' --run start`], {
      sockets: { http: passed },
    });
    assert.match(await outcome(program, "other-process"), /LISTEN_PID=\d+ (names what started|is not) this process/);
    passed.close();
  });
});

describe("descriptors that are gone", () => {
  it("are told where the process has replaced itself", async () => {
    const passed = holdSocket();
    const again = `import { activate } from ${JSON.stringify(runtime)}; activate({ fallback: { http: 0 } });`;
    const { code, stderr } = await runProgram(
      `process.execve(process.execPath, [process.execPath, "--input-type=module", "--eval", ${JSON.stringify(again)}], process.env);`,
      { sockets: { http: passed } },
    );
    assert.equal(code, 1);
    assert.match(stderr, /descriptor 3 \("http"\) is no socket but Node's own.*process\.execve closes descriptors/);
    passed.close();
  });
});

describe("LISTEN_PIDFDID", () => {
  // Only a program that can open a pidfd of itself, and then becomes ours, can say the right one.
  const become = (id: string): string =>
    `import os, sys
fd = os.pidfd_open(os.getpid())
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_PIDFDID=str(${id}))
os.execv(sys.argv[1], sys.argv[1:])`;
  const show = `import { activate } from ${JSON.stringify(runtime)};
    const activation = activate({ fallback: { http: 0 } }); console.log(activation.source)`;
  for (const [title, id, source] of [
    ["of this process is accepted", "os.fstat(fd).st_ino", "systemd"],
    ["of an earlier process with this number is not", "os.fstat(fd).st_ino + 1", "bind"],
  ] as const) {
    it(title, (t) => {
      if (!has(t, "python3", "python3")) return;
      const passed = holdSocket();
      const args = ["-c", become(id), node, ...flags, "--input-type=module", "--eval", show];
      const { stdout, stderr } = spawnSync("python3", args, {
        env: { ...process.env, LISTEN_FDS: "1" },
        stdio: ["ignore", "pipe", "pipe", passed.fd],
        encoding: "utf8",
      });
      const isPidfs = /"?LISTEN_PIDFDID is of an earlier process/.test(stderr);
      // Before Linux 6.9 nobody can compare.
      if (source === "bind" && !isPidfs) t.diagnostic("this kernel has no pidfs: the variable is not compared");
      else assert.equal(stdout.trim(), source, stderr);
      passed.close();
    });
  }
});

describe("any environment", () => {
  it("gives sockets, or an ActivationError with a mend, and never leaves LISTEN_* behind", () => {
    const variable = fc.option(
      fc.oneof(fc.string(), fc.integer().map(String), fc.constantFrom("1", "0", ":", "a:b", "3")),
      {
        nil: undefined,
      },
    );
    const names = [
      "LISTEN_FDS",
      "LISTEN_PID",
      "LISTEN_FDNAMES",
      "LISTEN_PIDFDID",
      "SERVER_LISTEN_FD",
      "XPC_SERVICE_NAME",
    ];
    const environment = fc.record(Object.fromEntries(names.map((name) => [name, variable])));
    fc.assert(
      fc.property(environment, fc.boolean(), fc.boolean(), (env, fdFlag, withFallback) => {
        // Else each would print its warning.
        const fallback = withFallback && env.LISTEN_FDS === undefined ? { http: "127.0.0.1:0" } : {};
        try {
          const { source, sockets } = chooseSockets({ fallback, fd: undefined, fdFlag, perConnection: false, env });
          assert.ok(source !== "bind" || sockets.length === Object.keys(fallback).length);
        } catch (error) {
          assert.ok(error instanceof ActivationError, String(error));
          assert.ok(error.message.endsWith(`${error.mend}.`));
        }
        assert.deepEqual(
          Object.keys(env).filter((name) => name.startsWith("LISTEN_")),
          [],
        );
      }),
      { numRuns: 500 },
    );
  });
});
