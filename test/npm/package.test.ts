import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask } from "../helpers/ask.ts";
import { type Elsewhere, installElsewhere } from "../helpers/elsewhere.ts";
import { firstAnswer } from "../helpers/first-answer.ts";
import { node20 } from "../helpers/old-node.ts";
import { root } from "../helpers/rouse.ts";
import { startRun } from "../helpers/run.ts";
import { waitFor } from "../system/wait.ts";

let elsewhere: Elsewhere;
let folder = "";

before(() => {
  elsewhere = installElsewhere({
    "package.json": JSON.stringify({
      name: "elsewhere",
      version: "0.3.0",
      type: "module",
      scripts: { version: "node --version" },
    }),
    "rouse.config.ts": `import { defineService } from "rouse/config";
export default defineService({ entry: "server.ts", sockets: { web: 8099 } });
`,
    "server.ts": `import { createServer } from "node:http";
import { activate } from "rouse";
const activation = activate({ fallback: { web: "127.0.0.1:8099" } });
await activation.listen(createServer((_, response) => response.end("served elsewhere\\n")), "web");
`,
  });
  folder = elsewhere.folder;
});

after(() => elsewhere[Symbol.dispose]());

test("npx rouse build works there, and what it makes answers", async () => {
  const { status, stdout, stderr } = spawnSync("npx", ["rouse", "build"], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /elsewhere_0\.3\.0-1_amd64\.deb/);
  assert.equal(await firstAnswer(join(folder, "out/linux-x64/elsewhere"), "web"), "served elsewhere\n");
});

for (const as of ["systemd", "launchd"]) {
  test(`rouse run works there, as ${as}, and leaves nothing when it is killed`, async (t) => {
    const TMPDIR = join(folder, `run-as-${as}`);
    mkdirSync(TMPDIR);
    const rouse = join(folder, "node_modules/.bin/rouse");
    const run = startRun(t, ["--as", as, "--port", "web=0"], { rouse, cwd: folder, env: { TMPDIR } });
    assert.equal(await ask({ port: await run.port("web") }), "served elsewhere\n");
    run.child.kill("SIGKILL");
    await waitFor("for the guardian", async () => readdirSync(TMPDIR).length === 0);
  });
}

test("a user's TypeScript is checked against the runtime and the definition", () => {
  const config = {
    compilerOptions: {
      module: "node16", // Which lets no CommonJS import what is for ES modules only.
      strict: true,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
    },
  };
  elsewhere.write("tsconfig.json", JSON.stringify({ ...config, files: ["server.ts", "rouse.config.ts", "old.cts"] }));
  elsewhere.write(
    "old.cts",
    `import { activate } from "rouse"; import { defineService } from "rouse/config"; activate(); defineService({});`,
  );
  const check = (): string =>
    spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "."], { cwd: folder, encoding: "utf8" }).stdout;
  assert.equal(check(), "");
  elsewhere.write("tsconfig.json", JSON.stringify({ ...config, files: ["wrong.ts"] }));
  elsewhere.write(
    "wrong.ts",
    `import { activate } from "rouse";
import { defineService } from "rouse/config";
activate({ fallback: { web: 1 } }).socket("wbe");
defineService({ entry: "server.ts", sokets: {} });
`,
  );
  const complaints = check();
  assert.match(complaints, /wrong\.ts\(3,.*"wbe"/);
  assert.match(complaints, /wrong\.ts\(4,.*sokets/);
});

for (const [title, find] of [
  ["the user's own Node", async () => "node"],
  ["Node 20", node20],
] as const) {
  test(`the runtime is imported and required by ${title}, and is the same one`, async (t) => {
    const node = await find(t);
    if (node === undefined) return;
    const program = `const { activate, ActivationError } = require("rouse");
      Promise.all([import("rouse"), import("rouse/config")]).then(([{ ActivationError: imported }, { defineService }]) =>
        console.log(typeof activate, typeof defineService, imported === ActivationError));`;
    elsewhere.write("use.cjs", program);
    const { stdout, stderr } = spawnSync(node, ["use.cjs"], { cwd: folder, encoding: "utf8" });
    assert.deepEqual([stdout, stderr], ["function function true\n", ""]);
  });
}

test("every file that the package offers is there", () => {
  const { exports } = JSON.parse(readFileSync(join(folder, "node_modules/rouse/package.json"), "utf8"));
  const targets = (value: unknown): string[] =>
    typeof value === "string" ? [value] : Object.values(value as object).flatMap(targets);
  for (const file of targets(exports)) assert.ok(existsSync(join(folder, "node_modules/rouse", file)), file);
});

test("the project keeps its own node, and no dependency brings one", () => {
  const own = execFileSync("node", ["--version"], { encoding: "utf8" });
  const inScript = execFileSync("npm", ["run", "--silent", "version"], { cwd: folder, encoding: "utf8" });
  assert.equal(inScript, own);
  assert.equal(readdirSync(join(folder, "node_modules/.bin")).includes("node"), false);
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { bin?: Record<string, string> }>;
  };
  const withNode = Object.entries(lock.packages).filter(([, { bin }]) => bin && "node" in bin);
  assert.deepEqual(withNode, [], "a dependency with a bin named node would shadow the user's");
});

test("the packed file holds what it needs and no sources or tests", () => {
  const files = readdirSync(join(folder, "node_modules/rouse"), { recursive: true }).map(String);
  for (const file of [
    "bin/rouse",
    "bin/pinned-node",
    "bin/fetch-node.js",
    "bin/node-bases.json",
    "dist/schema.json",
    "dist/packaging/deb/scripts/postinst.sh",
    "dist/src/run/processes/guardian.sh",
    "LICENSE",
  ]) {
    assert.ok(files.includes(file), file);
  }
  assert.deepEqual(
    files.filter((file) => /^(src|test|bench|node_modules)\//.test(file) || /(?<!\.d)\.ts$/.test(file)),
    [],
  );
});

test("a first call on a machine with nothing cached fetches the pinned Node, with a line of progress", () => {
  const cache = join(folder, "cache");
  mkdirSync(cache);
  const env = { ...process.env, ROUSE_CACHE: cache };
  const first = spawnSync("npx", ["rouse", "--version"], { cwd: folder, env, encoding: "utf8" });
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stderr, /^rouse: fetching Node 26\.\d+\.\d+ for \S+ \(once\)$/m);
  assert.match(first.stdout, /^rouse .* \(Node 26\./);
  const second = spawnSync("npx", ["rouse", "--version"], { cwd: folder, env, encoding: "utf8" });
  assert.doesNotMatch(second.stderr, /fetching/);
  const [node] = globSync(join(cache, "node/*/*/node"));
  truncateSync(node!, 1_000_000);
  const damaged = spawnSync("npx", ["rouse", "--version"], { cwd: folder, env, encoding: "utf8" });
  assert.equal(damaged.status, 0, damaged.stderr);
  assert.match(damaged.stderr, /fetching/);
  assert.equal(damaged.stdout, first.stdout);
});
