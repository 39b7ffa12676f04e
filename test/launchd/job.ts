/** Programs over the stand-in for launchd, as `rouse run --as launchd` starts them. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { StandInSockets } from "../../launchd/stand-in/job.ts";
import { type StandIn, writeStandIn } from "../../launchd/stand-in.ts";
import { type Program, watch } from "../activation/program.ts";

/** By name, what the program finds under it. */
export type Job = Readonly<Record<string, readonly { readonly fd: number }[]>>;

export const LABEL = "com.example.test";
export const target = `${process.platform}-${process.arch}` as StandIn["target"];

export function makeFolder(t: TestContext, name = "rouse-stand-in-"): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The sockets in the order in which they are passed, from descriptor 3 on. */
export function number(job: Job): { sockets: StandInSockets; fds: number[] } {
  const fds: number[] = [];
  const sockets = Object.entries(job).map(([name, list]) => [
    name,
    list.map(({ fd }) => ({ fd, descriptor: 2 + fds.push(fd) })),
  ]);
  return { sockets: Object.fromEntries(sockets), fds };
}

export async function startInJob(
  t: TestContext,
  command: string,
  args: readonly string[],
  job: Job,
  options: { env?: NodeJS.ProcessEnv; folder?: string; target?: StandIn["target"] } = {},
): Promise<Program> {
  const { sockets, fds } = number(job);
  const env = { ...process.env, ...options.env };
  const folder = options.folder ?? makeFolder(t);
  const standIn = await writeStandIn(folder, { target: options.target ?? target, label: LABEL, sockets, env });
  const child = spawn(command, args, { env: { ...env, ...standIn.env }, stdio: ["ignore", "pipe", "pipe", ...fds] });
  t.after(() => child.kill("SIGKILL"));
  return watch(child);
}

/** The program of test/fixtures that asks launchd. */
export function compileAsker(t: TestContext, compiler = "cc", args: readonly string[] = []): string {
  const program = join(makeFolder(t), "asks");
  const source = join(import.meta.dirname, "../fixtures/launchd-asks.c");
  const flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", program, source, "-ldl", ...args];
  execFileSync(compiler, flags, { stdio: ["ignore", "inherit", "inherit"] });
  return program;
}
