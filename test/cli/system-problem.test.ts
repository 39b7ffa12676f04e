import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemProblem } from "../../src/cli/system-problem.ts";
import { makeProject } from "../helpers/project.ts";

test("what the system refuses is one line: what was asked, of which path, and why", (t) => {
  const folder = makeProject(t, {});
  const none = join(folder, "none");
  assert.equal(
    whatOf(() => readFileSync(none)),
    `open ${none}: no such file or directory (ENOENT)`,
  );
  mkdirSync(none);
  assert.match(whatOf(() => rmSync(none)) ?? "", /^rm .*\/none: illegal operation on a directory \(ERR_FS_EISDIR\)$/);
  assert.equal(
    systemProblem(spawnSync(join(folder, "program")).error)?.what,
    `spawnSync ${folder}/program ${folder}/program: no such file or directory (ENOENT)`,
  );
  assert.match(whatOf(() => mkdirSync(join(folder, "x".repeat(300)))) ?? "", /name too long \(ENAMETOOLONG\)$/);
});

test("a fault of a program is none of these", () => {
  const faults = [
    () => (undefined as unknown as { x: number }).x,
    () => readFileSync({} as string),
    () => new URL("::"),
    () => {
      throw "text";
    },
  ];
  for (const fault of faults) assert.equal(whatOf(fault), undefined);
});

// --- internal ---

function whatOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return systemProblem(error)?.what;
  }
  throw new Error("nothing was thrown");
}
