import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { hello, makeProject } from "../helpers/project.ts";
import { root, rouse } from "../helpers/rouse.ts";
import { startRun } from "../helpers/run.ts";
import { has } from "../helpers/tools.ts";

describe("rouse run: wrong input is refused before anything starts", () => {
  const wrong: Readonly<Record<string, [args: string[], code: number, message: RegExp]>> = {
    "no definition": [["."], 1, /holds no service definition\n {2}mend: write rouse\.config\.ts/],
    "a folder that is not there": [["nosuch"], 1, /there is no folder .*nosuch\n {2}mend: /],
    "two folders": [["one", "two"], 2, /what is "two"\? A program to start stands after --/],
    "a folder and a program": [["one", "--", "true"], 2, /what is "one"\?/],
    "no program after --": [["--"], 2, /a program is missing after --/],
    "a program that is not there": [["--", "no-such-program"], 1, /there is no program no-such-program\n {2}mend: /],
    "a program that is not executable": [["--", "/etc/passwd"], 1, /is not executable\n {2}mend: chmod \+x/],
    "an unknown way": [["--as", "upstart", "--", "true"], 2, /Allowed choices are systemd, launchd, inetd, fd, bind/],
    "an address for the debugger that is none": [
      ["--inspect", "src"],
      2,
      /It is \[host:\]port; a folder stands before/,
    ],
    "a path to watch that is not there": [["--watch-path", "nosuch", "--", "sleep", "9"], 1, /nosuch/],
    "an environment file that is not there": [["--environment-file", "nosuch", "--", "true"], 1, /nosuch/],
  };
  for (const [title, [args, code, message]] of Object.entries(wrong)) {
    test(title, (t) => {
      const TMPDIR = makeProject(t, {});
      const ran = rouse(["run", ...args], { cwd: makeProject(t, {}), env: { TMPDIR } });
      assert.match(ran.stderr, message);
      assert.equal(ran.code, code);
      assert.equal(ran.stdout, "");
      assert.equal(spawnSync("ls", ["-A", TMPDIR], { encoding: "utf8" }).stdout, "", "something is left");
    });
  }

  test("a socket that the definition does not have, with the one that was meant", (t) => {
    const { code, stderr } = rouse(["run", "--port", "htp=8080", makeProject(t, hello())]);
    assert.equal(code, 1);
    assert.match(stderr, /"htp".*http/);
  });
});

describe("rouse run: what a person sees", () => {
  test("where stderr is no terminal, only what the program itself prints", () => {
    const ran = rouse(["run", "-s", "http=0", "--", "/bin/sh", "-c", "echo out; echo err >&2"]);
    assert.deepEqual(ran, { code: 0, stdout: "out\n", stderr: "err\n" });
  });

  test("and that it has failed", () => {
    const ran = rouse(["run", "-s", "http=0", "--", "/bin/sh", "-c", "exit 9"]);
    assert.equal(ran.code, 9);
    assert.match(ran.stderr, /^rouse: pid \d+ has ended with exit code 9, [\d.]+ m?s after its start\n$/);
  });

  test("--quiet says no more in a terminal, --verbose everything without one", () => {
    const ran = rouse(["run", "--verbose", "-s", "http=0", "-s", "stats=udp:0", "--", "true"]);
    assert.match(
      ran.stderr,
      /^rouse: as systemd\nsocket +address +fd\nhttp +http:\/\/localhost:\d+\/ +3\nstats +udp:\/\/127\.0\.0\.1:\d+ +4\nrouse: pid (\d+) started\nrouse: pid \1 has ended, [^\n]+\n$/,
    );
  });

  test("in a terminal: the table, the start, the end; with --quiet nothing of it", async (t) => {
    if (!has(t, "script", "bsdutils")) return;
    for (const quiet of [false, true]) {
      const command = `${join(root, "bin/rouse")} run ${quiet ? "-q" : ""} -s http=0 -- true`;
      const child = spawn("script", ["-qec", command, "/dev/null"], { env: { ...process.env, NO_COLOR: "1" } });
      child.stdin.end();
      const seen = (await text(child.stdout)).replaceAll("\r", "");
      if (quiet) assert.equal(seen, "");
      else
        assert.match(seen, /^rouse: as systemd\nsocket .*\nhttp .*\nrouse: pid \d+ started\nrouse: pid \d+ has ended/);
    }
  });

  test("--json: one document a line on stdout, and the program's own output on stderr", () => {
    const ran = rouse(["run", "--json", "-s", "http=0", "--", "/bin/sh", "-c", "echo out"]);
    assert.equal(ran.stderr, "out\n");
    const events = ran.stdout.trim().split("\n");
    assert.deepEqual(
      events.map((line) => (JSON.parse(line) as { event: string }).event),
      ["listening", "started", "exited"],
    );
  });

  test("a program that ignores SIGTERM is killed after the definition's stopTimeout, and that is said", async (t) => {
    const server = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("begun");`;
    const folder = makeProject(t, hello({ server, definition: { stopTimeout: "1s" } }));
    const run = startRun(t, ["--port", "http=0", folder]);
    await run.printed(/begun/);
    run.child.kill("SIGTERM");
    assert.deepEqual(await run.ended, { code: 137, signal: null });
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "ignores-signal");
    assert.match(problem.what, /had not ended 1 s after it was asked to, and was killed/);
  });
});
