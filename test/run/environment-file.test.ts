import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RouseError } from "../../src/problem.ts";
import { readEnvironmentFile } from "../../src/run/environment/environment-file.ts";
import { makeProject } from "../helpers/project.ts";
import { environmentFiles } from "./environment-files.ts";

for (const [title, content, expected] of environmentFiles) {
  test(`read as systemd reads it: ${title}`, (t) => {
    const file = join(makeProject(t, {}), "file");
    writeFileSync(file, content);
    if (expected === "refused") assert.throws(() => readEnvironmentFile(file), /systemd would take nothing of it/);
    else assert.deepEqual(readEnvironmentFile(file).variables, expected);
  });
}

test("what is left out or read in an unexpected way is told, with its line", (t) => {
  const content = [
    "# ends in a backslash \\",
    "A='one",
    "two'",
    "export B=1",
    "1C=1",
    "just words",
    'D="never closed',
    "E=1",
    "",
  ];
  const file = join(makeProject(t, { file: content.join("\n") }), "file");
  const { variables, warnings } = readEnvironmentFile(file);
  assert.deepEqual(variables, { A: "one\ntwo", D: "never closed\nE=1\n" });
  assert.deepEqual(
    warnings.map(({ what, where }) => [where?.line, what]),
    [
      [1, "the comment ends in a backslash: systemd before 254 takes the next line for a part of it, too"],
      [4, '"export B" is no name of a variable, and the line is ignored'],
      [5, '"1C" is no name of a variable, and the line is ignored'],
      [6, '"just words" has no "=" and is ignored'],
      [7, 'the " is not closed, and so the rest of the file is in this value'],
    ],
  );
  assert.equal(warnings[1]!.mend, 'write B= without "export", which only a shell knows');
  assert.ok(warnings.every(({ where, mend }) => where?.file === file && mend));
});

test("a byte order mark is told by its name", (t) => {
  const file = join(makeProject(t, { file: "\ufeffA=1\n" }), "file");
  const [warning] = readEnvironmentFile(file).warnings;
  assert.match(warning!.mend!, /without a byte order mark/);
});

test("a file that cannot be read says what to do", (t) => {
  const folder = makeProject(t, { "a/b": "" });
  for (const [name, what] of [
    ["none", /there is no environment file .*none/],
    ["a", /the environment file .*a is a folder/],
    ["a/b/c", /a part of the path .*a\/b\/c is a file/],
  ] as const) {
    assert.throws(
      () => readEnvironmentFile(join(folder, name)),
      (error) => {
        assert.ok(error instanceof RouseError);
        assert.match(error.message, what);
        assert.match(error.problems[0]!.mend!, /leave --environment-file out/);
        return true;
      },
    );
  }
});

test("a large file does not take long", (t) => {
  const file = join(makeProject(t, { file: `${"A='b' # c\n".repeat(100_000)}B="${"\\x".repeat(500_000)}"` }), "file");
  assert.equal(readEnvironmentFile(file).variables.B?.length, 1_000_000);
});
