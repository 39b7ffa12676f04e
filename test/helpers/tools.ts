import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

/**
 * Whether a program is on this machine. Without it the test is skipped with the reason, but in CI, where everything is to
 * be installed, it fails.
 */
export function needs(t: TestContext, ...programs: string[]): boolean {
  const missing = programs.filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
  if (missing.length === 0) return true;
  const reason = `${missing.join(", ")} not on this machine`;
  if (process.env.CI) throw new Error(`${reason}: .ci/run must install it`);
  t.skip(reason);
  return false;
}
