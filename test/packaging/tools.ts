import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

/** True when the tool is here; otherwise the test is skipped with the reason, or fails where everything has to be here (CI). */
export function has(t: TestContext, tool: string, debianPackage: string): boolean {
  if ((process.env.PATH ?? "").split(delimiter).some((folder) => isExecutable(join(folder, tool)))) return true;
  const reason = `${tool} is missing: apt-get install ${debianPackage}`;
  if (process.env.CI) throw new Error(reason);
  t.skip(reason);
  return false;
}

/** Runs a program to its end; gives what it printed, both streams together. */
export function run(program: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = attempt(program, args, cwd);
  if (error !== undefined || status !== 0) throw error ?? new Error(`${program} gave ${status}:\n${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

/** Runs a program whose exit status is an answer. */
export function attempt(program: string, args: readonly string[], cwd?: string): ReturnType<typeof spawn> {
  return spawn(program, args, cwd);
}

// --- internal ---

function spawn(program: string, args: readonly string[], cwd: string | undefined) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" },
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { status, stdout, stderr, error };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
