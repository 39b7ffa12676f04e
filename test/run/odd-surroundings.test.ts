import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, copyFileSync, mkdirSync, openSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { makeProject } from "../helpers/project.ts";
import { type Ran, root } from "../helpers/rouse.ts";

/** Without bin/rouse, whose shell may drop odd variables. */
function run(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string = root): Ran {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "src/cli/main.ts"), "run", "-s", "http=127.0.0.1:0", ...args],
    { cwd, env: { ...process.env, NO_COLOR: "1", ...env }, encoding: "utf8", timeout: 60_000 },
  );
  return { code: status, stdout, stderr };
}

const TELL = ["--", "/bin/sh", "-c", 'echo "$NOTIFY_SOCKET"'];

function folder(t: TestContext, name: string): string {
  const path = join(realpathSync(makeProject(t, {})), name);
  mkdirSync(path);
  return path;
}

describe("rouse run in odd surroundings", () => {
  it("has a notify socket where TMPDIR is too long for one", (t) => {
    const { code, stdout } = run(TELL, { TMPDIR: folder(t, "x".repeat(100)) });
    assert.equal(code, 0);
    assert.match(stdout, /^\/tmp\/rouse-.*\.sock$/m);
  });

  it("takes a TMPDIR from the current folder", (t) => {
    const path = folder(t, "tmp");
    const { stdout } = run(TELL, { TMPDIR: "tmp" }, join(path, ".."));
    assert.equal(stdout.startsWith(`${path}/rouse-run-`), true, stdout);
  });

  it("says what to do where TMPDIR is not there", () => {
    const { code, stderr } = run(TELL, { TMPDIR: "/nowhere" });
    assert.equal(code, 1);
    assert.match(stderr, /cannot be made in \/nowhere: no such file or directory\n {2}mend: set TMPDIR/);
  });

  it("starts a program whose path has a =, beside variables that no shell keeps", (t) => {
    const path = join(folder(t, "a=b"), "echo");
    copyFileSync("/bin/echo", path);
    chmodSync(path, 0o755);
    const { stdout, stderr } = run(["--", path, "hi"], { "a.b": "1", "-i": "1" });
    assert.equal(stdout, "hi\n", stderr);
  });

  it("says so when arguments and environment are too long", (t) => {
    const file = join(makeProject(t, { "long.env": `LONG=${"x".repeat(200_000)}\n` }), "long.env");
    const { code, stderr } = run(["--environment-file", file, ...TELL], {});
    assert.equal(code, 1);
    assert.match(stderr, /could not be started in .*: E2BIG\n {2}mend: its arguments and environment are too long/);
  });

  it("shows what a program says of itself without obeying it", () => {
    const program = `import { activate } from ${JSON.stringify(join(root, "src/index.ts"))};
activate().status("\\x1b[31mred\\x1b]0;title\\x07");`;
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program];
    const { stderr } = run(["--verbose", "--", ...node], {});
    assert.match(stderr, /: \\u\{1b\}\[31mred\\u\{1b\}\]0;title\\u\{7\}\n/);
    assert.doesNotMatch(stderr, /(?!\n)\p{Cc}/u);
  });

  it("says once that the disk is full, and runs on to the end", (t) => {
    const full = openSync("/dev/full", "w");
    t.after(() => closeSync(full));
    const args = ["run", "--json", "-s", "http=127.0.0.1:0", "--", "/bin/sh", "-c", "echo done"];
    const { stderr } = spawnSync(join(root, "bin/rouse"), args, { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
    assert.equal(stderr.split("could not be printed").length, 2, stderr);
    assert.match(stderr, /^done$/m);
  });
});
