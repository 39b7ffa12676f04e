import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Bundle, bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import { RouseError } from "../../src/problem.ts";
import { hello, makeProject } from "../helpers/project.ts";

async function bundle(
  t: TestContext,
  server: string,
  files: Record<string, unknown> = {},
): Promise<{ bundle: Bundle; folder: string }> {
  const folder = makeProject(t, { ...hello({ server }), ...files });
  return { bundle: await bundleService(await readService(folder)), folder };
}

/** What the bundle prints when plain Node runs it as CommonJS. */
function run({ bundle, folder }: { bundle: Bundle; folder: string }): string {
  const file = join(folder, "bundle.cjs");
  writeFileSync(file, bundle.code);
  return execFileSync(process.execPath, [file], { encoding: "utf8" });
}

test("an ESM program becomes CommonJS, with import.meta filled in", async (t) => {
  const made = await bundle(
    t,
    `import { basename } from "node:path";
     console.log(basename(import.meta.filename), import.meta.url.startsWith("file:///"), import.meta.dirname === process.cwd() || true, import.meta.main);`,
  );
  assert.doesNotMatch(made.bundle.code, /async\(\)=>\{"use strict"/);
  assert.equal(run(made), "bundle.cjs true true true\n");
});

for (const [kind, tail] of [
  ["CommonJS", ""],
  ["top-level await", "await 0;"],
] as const) {
  test(`import.meta is whole: resolve of files, an error for packages, anything else undefined (${kind})`, async (t) => {
    const made = await bundle(
      t,
      `console.log(import.meta.resolve("./x.js").endsWith("/x.js"), import.meta.resolve("node:fs"), import.meta.env);
       try { import.meta.resolve("left-pad"); } catch (error) { console.log(error.message); }
       ${tail}`,
    );
    assert.equal(
      run(made),
      "true node:fs undefined\nimport.meta.resolve finds no package inside an executable: left-pad\n",
    );
  });
}

test("a package that uses rouse-activation gets the runtime of the build, the same as the program", async (t) => {
  const made = await bundle(
    t,
    `import { activate } from "rouse"; import { activate as theirs } from "framework";
     console.log(activate === theirs, typeof theirs);`,
    {
      "node_modules/framework/package.json": { name: "framework", version: "1.0.0" },
      "node_modules/framework/index.js": `exports.activate = require("rouse-activation").activate;`,
      "node_modules/rouse-activation/index.js": `throw new Error("not this one");`,
    },
  );
  assert.equal(made.bundle.usesRuntime, true);
  assert.equal(run(made), "true function\n");
});

test("a CommonJS program with `require.main === module` starts", async (t) => {
  const made = await bundle(
    t,
    `if (require.main === module) console.log("main", typeof require("node:fs").readFileSync);`,
  );
  assert.equal(run(made), "main function\n");
});

test("top-level await: in the entry, in what it imports, with exports, builtins and a dynamic import", async (t) => {
  const made = await bundle(
    t,
    `import os, { platform } from "node:os";
     import { slow } from "./slow.ts";
     export const exported = await Promise.resolve(1);
     const { late } = await import("./late.ts");
     console.log(slow, late, exported, platform() === os.platform(), (await import("node:fs")).existsSync("/"));`,
    {
      "src/slow.ts": "export const slow: number = await new Promise((done) => setTimeout(done, 5, 41));",
      "src/late.ts": "export const late = 42;",
    },
  );
  assert.equal(run(made), "41 42 1 true true\n");
});

test("top-level await in a dependency", async (t) => {
  const made = await bundle(t, `import value from "dep"; console.log(value);`, {
    "node_modules/dep/package.json": { name: "dep", type: "module", exports: "./index.js" },
    "node_modules/dep/index.js": "export default await Promise.resolve(7);",
  });
  assert.equal(run(made), "7\n");
});

test("a sloppy CommonJS dependency keeps its rules", async (t) => {
  const made = await bundle(t, `import value from "old"; console.log(value);`, {
    "node_modules/old/package.json": { name: "old", main: "index.js" },
    "node_modules/old/index.js":
      "undeclared = 5; module.exports = (function () { return this === globalThis; })() ? undeclared + 010 : 0;",
  });
  assert.equal(run(made), "13\n");
});

test("a rejected top-level await ends the program with exit code 1 and its message", async (t) => {
  const { bundle: made, folder } = await bundle(t, `await Promise.reject(new Error("no database"));`);
  writeFileSync(join(folder, "bundle.cjs"), made.code);
  assert.throws(
    () => execFileSync(process.execPath, [join(folder, "bundle.cjs")], { stdio: "pipe", encoding: "utf8" }),
    (error: { status: number; stderr: string }) => error.status === 1 && /Error: no database/.test(error.stderr),
  );
});

test("the bundle says whether the program uses the runtime", async (t) => {
  assert.equal(
    (await bundle(t, `import { activate } from "rouse"; activate({ fallback: { http: 1 } });`)).bundle.usesRuntime,
    true,
  );
  assert.equal(
    (await bundle(t, `import { createServer } from "node:http"; createServer().listen({ fd: 3 });`)).bundle.usesRuntime,
    false,
  );
});

test("the runtime adds less than 30 KB to a program", async (t) => {
  const server = `import { createServer } from "node:http"; const server = createServer();`;
  const plain = await bundle(t, `${server} server.listen({ fd: 3 });`);
  const activated = await bundle(t, `import { activate } from "rouse"; ${server} activate().listen(server, "http");`);
  const added = activated.bundle.code.length - plain.bundle.code.length;
  t.diagnostic(`it adds ${added} bytes`);
  assert.ok(added > 1000 && added < 30_000, `it adds ${added} bytes`);
});

test("the map names the user's files, relative to the project, and carries no source text", async (t) => {
  const { bundle: made } = await bundle(
    t,
    `import { createServer } from "node:http";\ncreateServer().listen({ fd: 3 });\n`,
  );
  const map = JSON.parse(made.map) as { sources: string[]; sourcesContent?: unknown };
  assert.ok(map.sources.includes("src/server.ts"), map.sources.join());
  assert.equal(map.sourcesContent, undefined);
});

test("a folder whose name is a pattern to esbuild", async (t) => {
  for (const tail of ["", "await 0;"]) {
    const base = makeProject(
      t,
      Object.fromEntries(
        Object.entries(hello({ server: `console.log(1); ${tail}` })).map(([name, text]) => [`a*b ?/${name}`, text]),
      ),
    );
    const folder = join(base, "a*b ?");
    assert.equal(run({ bundle: await bundleService(await readService(folder)), folder }), "1\n");
  }
});

test("the same program in two folders gives the same bytes", async (t) => {
  const server = hello()["src/server.ts"] as string;
  const [one, other] = [await bundle(t, server), await bundle(t, server)];
  assert.equal(one.bundle.code, other.bundle.code);
});

test("what works in development and not in an executable is warned of, by file and line, and only in one's own files", async (t) => {
  const server = `import { fork } from "node:child_process";
import { Worker } from "node:worker_threads";
import "dep";
new Worker(new URL("./worker.ts", import.meta.url));
fork("./child.js");
export const page = import.meta.dirname + "/index.html";
`;
  const { bundle: made } = await bundle(t, server, {
    "node_modules/dep/package.json": { name: "dep", main: "index.js" },
    "node_modules/dep/index.js": "exports.here = __dirname;",
  });
  const places = made.warnings.map((line) => /^[^ ]+:\d+/.exec(line)?.[0]);
  assert.deepEqual(places, ["src/server.ts:4", "src/server.ts:5", "src/server.ts:6"]);
  assert.match(made.warnings[0] ?? "", /a worker's file is not in the executable/);
  assert.deepEqual((await bundle(t, hello()["src/server.ts"] as string)).bundle.warnings, []);
});

test("decorator metadata is refused where decorators are used, since esbuild would drop it in silence", async (t) => {
  const files = {
    "tsconfig.json": { extends: "./tsconfig.base" },
    "tsconfig.base.json": `{ // as tsc takes it
      "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true, },
    }`,
  };
  await bundle(t, "console.log(1);", files);
  await assert.rejects(
    bundle(t, "const mark = (_: unknown): void => {};\n@mark\nclass A {}\nnew A();", files),
    /emitDecoratorMetadata/,
  );
});

const wrong: [string, string, { code: string; line: number; column: number; what: RegExp }][] = [
  ["a syntax error", "const a = 1;\nconst b = ;\n", { code: "syntax", line: 2, column: 11, what: /Unexpected ";"/ }],
  [
    "a syntax error beside a top-level await",
    "await 1;\nconst b = ;\n",
    { code: "syntax", line: 2, column: 11, what: /Unexpected ";"/ },
  ],
  [
    "an import that is not there",
    'import "./gone.ts";\n',
    { code: "import-not-found", line: 1, column: 8, what: /gone\.ts/ },
  ],
  [
    "a package that is not installed",
    'import "left-pad-x";\n',
    { code: "import-not-found", line: 1, column: 8, what: /left-pad-x/ },
  ],
];
for (const [title, server, expected] of wrong) {
  test(`refused with its place: ${title}`, async (t) => {
    const folder = makeProject(t, hello({ server }));
    const error = await bundleService(await readService(folder)).then(
      () => assert.fail("it was bundled"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof RouseError);
    const [problem, ...others] = error.problems;
    assert.deepEqual(others, []);
    assert.equal(problem?.code, expected.code);
    assert.match(problem?.what ?? "", expected.what);
    assert.deepEqual(problem?.where && [problem.where.file, problem.where.line, problem.where.column], [
      join(folder, "src/server.ts"),
      expected.line,
      expected.column,
    ]);
  });
}
