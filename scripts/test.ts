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
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-reporter=spec",
    "--test-concurrency=1",
    "--test-timeout=240000",
    ...files,
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(status ?? 1);

function isSlow(file: string): boolean {
  return file.startsWith("test/system/") || file.startsWith("test/npm/");
}
