/**
 * Every TypeScript and JavaScript example of the documentation is checked by tsc and run. How it is run, an HTML comment
 * says that stands above the block, which readers do not see:
 *
 *     <!-- example: serve http admin -->   a server: gets one passed TCP socket for each name, answers a GET on each (by TLS on
 *                                          the one named https), ends with 0 on SIGTERM, and prints nothing on stderr
 *     <!-- example: within http -->        a part of one: runs before `activation.listen(server, "http")`, then as above
 *     <!-- example: adopt http=3000 -->    a server that knows nothing of us: as the first, started with rouse/adopt and this ROUSE_ADOPT
 *     <!-- example: run http -->           a program that ends by itself, with 0; the names are optional
 *     <!-- example: definition -->         a definition, or some of its keys: Rouse takes it
 *     <!-- example: definition to run -->  the same, for `rouse run` only
 *     <!-- example: types: REASON -->      checked by tsc, and not run, because...
 *     <!-- example: NAME words -->         a scenario of its own in test/docs/scenarios.ts
 *
 * `app`, `server`, `activation` and `tls` are there where the example does not declare them: test/docs/ambient.ts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Example, examplesIn, readExamples } from "./docs/examples.ts";
import { scenarios } from "./docs/scenarios.ts";
import { makeWorkspace } from "./docs/workspace.ts";
import { root } from "./helpers/rouse.ts";

const examples = readExamples(root);
const workspace = makeWorkspace(examples);
after(() => workspace[Symbol.dispose]());

const placeOf = ({ document, line }: Example): string => `${document}:${line}`;

test("every example says how it is run", () => {
  const silent = examples.filter(({ how }) => how === undefined).map(placeOf);
  assert.deepEqual(silent, [], `put a comment above it: ${join("test", "docs.test.ts")} tells which`);
});

test("every example is right by its types", () => {
  const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "."], {
    cwd: workspace.folder,
    encoding: "utf8",
  });
  assert.equal(status, 0, `lines are those of the document:\n${stdout}`);
});

for (const example of examples.filter(({ how }) => how !== undefined)) {
  const [scenario, ...words] = example.how!.split(/\s+/) as [string, ...string[]];
  if (scenario === "types:") {
    test(`${placeOf(example)} is not run`, () => assert.ok(words.length > 1, "say why"));
    continue;
  }
  test(`${placeOf(example)} works (${example.how})`, async () => {
    const run = scenarios[scenario];
    assert.ok(run, `there is no scenario ${scenario}, but: ${Object.keys(scenarios).join(", ")}, types:`);
    await run(workspace.fileOf(example), words);
  });
}

test("blocks are found with their language, line and comment", () => {
  const found = examplesIn(
    "x.md",
    '<!-- example: serve a b -->\n```ts\nlet a;\n```\n\n```sh\nls\n```\n- list\n\n  ```js\n  require("x")\n  ```\n',
  );
  assert.deepEqual(found, [
    { document: "x.md", line: 3, code: "let a;", extension: "ts", how: "serve a b" },
    { document: "x.md", line: 12, code: 'require("x")', extension: "cjs", how: undefined },
  ]);
  assert.throws(() => examplesIn("x.md", "\n```ts\n"), /x\.md:2: this block is never closed/);
});
