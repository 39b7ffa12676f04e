import { spawnSync } from "node:child_process";

export { has } from "../helpers/tools.ts";

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
