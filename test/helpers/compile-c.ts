import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";

/** Compiles one C file; the program is gone after the test. Takes a tenth of a second. Ask `has(t, "cc", "gcc libc6-dev")` first. */
export function compileC(t: TestContext, source: string): string {
  const folder = mkdtempSync(join(tmpdir(), "rouse-c-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, basename(source, ".c"));
  execFileSync("cc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program, source]);
  return program;
}
