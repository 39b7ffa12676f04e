/**
 * Runs the tests with the pinned Node: all of them, or only those whose path contains one of the given words.
 * The fast ones first, then packing and installing, then the booted systems.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const words = process.argv.slice(2);
const files = globSync("test/**/*.test.ts", { cwd: root })
  .filter((file) => words.length === 0 || words.some((word) => (word === "unit" ? !isSlow(file) : file.includes(word))))
  .sort((a, b) => Number(isSlow(a)) - Number(isSlow(b)) || a.localeCompare(b));

if (files.length === 0) {
  process.stderr.write(`no test file matches ${words.join(" ")}\n`);
  process.exit(2);
}
// Most of the fast ones wait for processes that they have started; each of the slow ones takes the machine for itself.
const groups = [
  // The limit is for what hangs; the slow ones have limits of their own.
  { of: files.filter((file) => !isSlow(file)), options: ["--test-concurrency=2", "--test-timeout=600000"] },
  { of: files.filter(isSlow), options: ["--test-concurrency=1"] },
];
const failed = groups.filter((group) => group.of.length > 0 && run(group.of, group.options) !== 0);
process.exit(failed.length > 0 ? 1 : 0);

function run(these: readonly string[], options: readonly string[]): number | null {
  const args = ["--disable-warning=ExperimentalWarning", "--test", "--test-reporter=spec", ...options, ...these];
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status;
}

function isSlow(file: string): boolean {
  return file.startsWith("test/system/") || file.startsWith("test/npm/");
}
