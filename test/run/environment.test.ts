import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readService } from "../../src/definition.ts";
import { type Problem, RouseError } from "../../src/problem.ts";
import { type EnvironmentOptions, prepareEnvironment } from "../../src/run/environment/environment.ts";
import type { Service } from "../../src/service.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { root } from "../helpers/rouse.ts";

test("the definition's variables give way to the file's, and those to the user's own", async (t) => {
  const service = await define(t, { environment: { A: "definition", B: "definition", C: "definition" } });
  const folder = makeProject(t, { "dev.env": "B=file\nC=file\n" });
  const { env, warnings } = prepare(t, service, {
    environment: { C: "shell", PATH: "/bin" },
    environmentFile: join(folder, "dev.env"),
  });
  assert.deepEqual(env, { A: "definition", B: "file", C: "shell", PATH: "/bin" });
  assert.deepEqual(warnings, []);
});

test("NODE_ENV is the user's, never the unit's", async (t) => {
  const service = await define(t, {});
  assert.equal(prepare(t, service, {}).env.NODE_ENV, undefined);
  assert.equal(prepare(t, service, { environment: { NODE_ENV: "production" } }).env.NODE_ENV, "production");
});

test("what a manager has told rouse run is not for its child; what the user said is", (t) => {
  const managers = {
    ...{ LISTEN_FDS: "1", LISTEN_PID: "1", LISTEN_FDNAMES: "http", LISTEN_PIDFDID: "1", NOTIFY_SOCKET: "/run/n" },
    ...{ WATCHDOG_USEC: "1", WATCHDOG_PID: "1", REMOTE_ADDR: "::1", REMOTE_PORT: "1", INVOCATION_ID: "1" },
    ...{ JOURNAL_STREAM: "1:2", XPC_SERVICE_NAME: "a", ROUSE_WORKER: "1", ROUSE_RUN_X: "1" },
    ...{ STATE_DIRECTORY: "/a", CACHE_DIRECTORY: "/a", LOGS_DIRECTORY: "/a", CONFIGURATION_DIRECTORY: "/a" },
    ...{ RUNTIME_DIRECTORY: "/a", CREDENTIALS_DIRECTORY: "/a", MAINPID: "1", MANAGERPID: "1", SYSTEMD_EXEC_PID: "1" },
  };
  const users = {
    ...{
      HOME: "/h",
      PORT: "3000",
      LISTEN: "80",
      LISTEN_ADDRESS: "::",
      WATCHDOG: "1",
      TRIGGER_HAPPY: "no",
      A: undefined,
    },
    ...{
      ROUSE_CACHE: "/c",
      ROUSE_ADOPT: "http=3000",
      ROUSE_DEBUG: "1",
      NODE_OPTIONS: "--trace-warnings",
      MY_DIRECTORY: "/a",
    },
  };
  assert.deepEqual(prepare(t, undefined, { environment: { ...managers, ...users } }).env, users);
});

test("a manager's variable in the definition or the file is ignored, with a warning that says where", async (t) => {
  const service = await define(t, { environment: { NOTIFY_SOCKET: "/tmp/n" } });
  const file = join(makeProject(t, { "dev.env": "LISTEN_FDS=0\nexport A=1\n" }), "dev.env");
  const { env, warnings } = prepare(t, service, { environmentFile: file });
  assert.deepEqual(env, {});
  assert.deepEqual(
    warnings.map(({ code, where }) => [code, where?.key ?? where?.file]),
    [
      ["manager-variable", "environment.NOTIFY_SOCKET"],
      ["environment-file-name", file],
      ["manager-variable", file],
    ],
  );
});

test("directories of the service's own, whatever the umask", async (t) => {
  const service = await define(t, { directories: { state: true, cache: true, logs: true, configuration: true } });
  const before = process.umask(0o077);
  const { env, folder } = prepare(t, service, { environment: { STATE_DIRECTORY: "/elsewhere" } });
  process.umask(before);
  assert.deepEqual(Object.keys(env), [
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
  ]);
  for (const [name, path] of Object.entries(env)) {
    assert.ok(path!.startsWith(`${folder}/`));
    assert.equal(modeOf(path!), name === "CONFIGURATION_DIRECTORY" ? 0o755 : 0o700, name);
  }
  assert.deepEqual(prepare(t, await define(t, { directories: { cache: true } }), {}).made, ["cache"]);
  assert.deepEqual(prepare(t, await define(t, {}), {}).made, []);
});

test("credentials: the command line's file, else the definition's; read-only", async (t) => {
  const files = makeProject(t, { "tls.key": "production", "dev.key": "development", token: "from production" });
  const credentials = { "tls.key": join(files, "none"), token: join(files, "token") };
  const { env, folder } = prepare(t, await define(t, { credentials }), {
    credentials: ["tls.key=/overridden", `tls.key=${join(files, "dev.key")}`],
  });
  const directory = env.CREDENTIALS_DIRECTORY!;
  assert.equal(directory, join(folder, "credentials"));
  assert.equal(readFileSync(join(directory, "tls.key"), "utf8"), "development");
  assert.equal(readFileSync(join(directory, "token"), "utf8"), "from production");
  assert.equal(modeOf(directory), 0o500);
  assert.equal(modeOf(join(directory, "token")), 0o400);
});

test("a credential from a relative file, from one with an equals sign in its name, and from a pipe", (t) => {
  const main = `import { readdirSync, readFileSync } from "node:fs";
import { prepareEnvironment } from ${JSON.stringify(join(root, "src/run/environment/environment.ts"))};
const options = { folder: process.cwd(), environment: {}, credentials: process.argv.slice(2) };
const folder = prepareEnvironment(undefined, options).env.CREDENTIALS_DIRECTORY;
console.log(readdirSync(folder).map((name) => name + ": " + readFileSync(folder + "/" + name, "utf8")).join(", "));`;
  const cwd = makeProject(t, { "a=b": "secret", "main.ts": main });
  const script = '"$0" --disable-warning=ExperimentalWarning main.ts one=a=b two=<(printf piped)';
  const output = execFileSync("bash", ["-c", script, process.execPath], { cwd, encoding: "utf8" });
  assert.equal(output, "one: secret, two: piped\n");
});

test("without a definition every credential is taken; where there are none there is no folder", (t) => {
  const key = join(makeProject(t, { key: "k" }), "key");
  const { env } = prepare(t, undefined, { credentials: [`any.name=${key}`] });
  assert.deepEqual(readdirSync(env.CREDENTIALS_DIRECTORY!), ["any.name"]);
  const nothing = prepare(t, undefined, {});
  assert.deepEqual([nothing.env, nothing.made], [{}, []]);
});

test("every missing credential is told at once, each with its mend, and nothing is made", async (t) => {
  const files = makeProject(t, { "folder/file": "" });
  const credentials = { "tls.key": join(files, "none"), token: "lunchd.token", dir: join(files, "folder") };
  const service = await define(t, { credentials });
  const folder = makeProject(t, {});
  assert.deepEqual(
    problemsOf(() => prepare(t, service, { folder, credentials: ["dir=/no/such/file"] })).map(
      ({ what, where, mend }) => [what, where?.key, mend],
    ),
    [
      [
        `the credential "tls.key" is not there: ${files}/none does not exist`,
        "credentials.tls.key",
        "name a file to develop with: --credential tls.key=./dev.key",
      ],
      [
        'the credential "token" is "lunchd.token", which only systemd looks up',
        "credentials.token",
        "name a file to develop with: --credential token=./dev.token",
      ],
      ['the credential "dir" is not there: /no/such/file does not exist', undefined, "name a file that you may read"],
    ],
  );
  assert.deepEqual(readdirSync(folder), []);
});

const wrong: [title: string, given: string, what: RegExp, mend: RegExp][] = [
  ["a typing error in the name", "tls.kye=x", /has no credential "tls\.kye"/, /did you mean "tls\.key"\?/],
  ["a name that the definition lacks", "password=x", /has no credential "password"/, /its credentials are tls\.key/],
  ["a file without a name", "./dev.key", /does not say which credential is in which file/, /NAME=FILE/],
  ["a name without a file", "tls.key=", /does not say which credential is in which file/, /NAME=FILE/],
  ["a home folder that the shell has left", "tls.key=~/none", /~\/none does not exist; write \$HOME instead of ~/, /./],
  ["a folder", "tls.key=/", /\/ is a folder/, /a file that you may read/],
];
for (const [title, given, what, mend] of wrong) {
  test(`refused: ${title}`, async (t) => {
    const service = await define(t, { credentials: { "tls.key": process.execPath.replace(/[^/]*$/, "LICENSE") } });
    const problems = problemsOf(() => prepare(t, service, { credentials: [given] }));
    assert.equal(problems.length, 1);
    assert.match(problems[0]!.what, what);
    assert.match(problems[0]!.mend!, mend);
  });
}

test("refused without a definition: a name that is none, and more than systemd takes", (t) => {
  const large = join(makeProject(t, { large: "x".repeat(1024 * 1024) }), "large");
  const [name] = problemsOf(() => prepare(t, undefined, { credentials: [`../x=${large}`] }));
  assert.match(name!.what, /"\.\.\/x" is no name of a credential/);
  const [size] = problemsOf(() => prepare(t, undefined, { credentials: [`x=${large}`] }));
  assert.match(size!.what, /1048577 bytes together, and systemd takes 1 MiB/);
});

test("a credential and a file that another user keeps", (t) => {
  if (process.getuid?.() !== 0) return t.skip("only root can become another user, who may not read");
  const folder = makeProject(t, { key: "k" });
  chmodSync(join(folder, "key"), 0o600);
  chmodSync(folder, 0o711);
  const file = join(folder, "key");
  const problems = asNobody(() => [
    ...problemsOf(() => prepare(t, undefined, { credentials: [`key=${file}`] })),
    ...problemsOf(() => prepare(t, undefined, { environmentFile: file })),
  ]);
  assert.deepEqual(
    problems.map(({ what }) => what),
    [
      `the credential "key" is not there: ${file} may not be read by you`,
      `the environment file ${file} may not be read`,
    ],
  );
});

// --- internal ---

async function define(t: TestContext, definition: object): Promise<Service> {
  return await readService(makeProject(t, hello({ definition })));
}

function prepare(
  t: TestContext,
  service: Service | undefined,
  { folder = makeProject(t, {}), ...options }: Partial<EnvironmentOptions>,
) {
  const prepared = prepareEnvironment(service, { folder, environment: {}, credentials: [], ...options });
  return { ...prepared, folder, made: readdirSync(folder) };
}

function problemsOf(action: () => unknown): readonly Problem[] {
  try {
    action();
  } catch (error) {
    if (error instanceof RouseError) return error.problems;
    throw error;
  }
  assert.fail("it was taken");
}

function asNobody<T>(action: () => T): T {
  process.setegid!(65534);
  process.seteuid!(65534);
  try {
    return action();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}
