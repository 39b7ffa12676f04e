import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { tryCommand } from "./command.ts";

test("without the tools a system test is skipped, and tells what to install", async () => {
  const { stdout, code } = await runWithoutTools({});
  assert.match(stdout, /# SKIP .*nsenter.* missing: apt-get install .*util-linux/);
  assert.match(stdout, /^# skipped 1$/m);
  assert.equal(code, 0);
});

for (const variable of ["CI", "ROUSE_REQUIRE_SYSTEM"]) {
  test(`without the tools a system test fails under ${variable}, and tells what to install`, async () => {
    const { stdout, code } = await runWithoutTools({ [variable]: "1" });
    assert.match(stdout, /required here, but .*nsenter.* missing: apt-get install .*util-linux/);
    assert.equal(code, 1);
  });
}

// --- internal ---

/** Runs a file with one system test, where no program is found. */
function runWithoutTools(environment: Record<string, string>) {
  const helper = JSON.stringify(join(import.meta.dirname, "require.ts"));
  const script = `import { systemTest } from ${helper}; systemTest("an example", async () => {});`;
  const variables = Object.entries({ PATH: "/nowhere", ...environment }).map(([key, value]) => `${key}=${value}`);
  const node = [process.execPath, "--test-reporter=tap", "--input-type=module", "--eval", script];
  return tryCommand(["/usr/bin/env", "-i", ...variables, ...node]);
}
