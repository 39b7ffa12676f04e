/** Programs over the stand-in for launchd, as `rouse run --as launchd` starts them. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { StandInSockets } from "../../launchd/stand-in/job.ts";
import { type StandIn, writeStandIn } from "../../launchd/stand-in.ts";
import { type Program, watch } from "../activation/program.ts";
import { type HeldSocket, type HeldSocketOptions, holdSocket } from "../helpers/passed-socket.ts";

/** By name, what the program finds under it; they are passed in this order, from descriptor 3 on. */
export type Job = Readonly<Record<string, readonly { readonly fd: number }[]>>;

export const LABEL = "com.example.test";
export const target = `${process.platform}-${process.arch}` as StandIn["target"];

export interface JobOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the library is written; default: a new folder. */
  readonly folder?: string;
  readonly prepare?: Prepare;
}

/** Writes a library, and gives the variables that make a program load it. */
export type Prepare = (
  folder: string,
  sockets: StandInSockets,
  env: NodeJS.ProcessEnv,
) => Promise<Record<string, string>>;

export async function startInJob(
  t: TestContext,
  command: string,
  args: readonly string[],
  job: Job,
  options: JobOptions = {},
): Promise<Program> {
  const { env, folder = makeFolder(t), prepare = asRouseRunDoes } = options;
  const { sockets, fds } = numberDescriptors(job);
  const around = { ...process.env, ...env };
  const variables = await prepare(folder, sockets, around);
  const child = spawn(command, args, { env: { ...around, ...variables }, stdio: ["ignore", "pipe", "pipe", ...fds] });
  t.after(() => child.kill("SIGKILL"));
  return watch(child);
}

export function makeFolder(t: TestContext, name = "rouse-stand-in-"): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A socket that the test holds; gone after it. */
export function hold(t: TestContext, options: HeldSocketOptions = {}): HeldSocket {
  const socket = holdSocket(options);
  t.after(() => socket.close());
  return socket;
}

/** The C program of test/fixtures that asks launchd. */
export function compileAsker(t: TestContext, compiler = "cc", flags: readonly string[] = []): string {
  const program = join(makeFolder(t), "asks");
  const source = join(import.meta.dirname, "../fixtures/launchd-asks.c");
  const args = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", ...flags, "-o", program, source, "-ldl"];
  execFileSync(compiler, args, { stdio: ["ignore", "inherit", "inherit"] });
  return program;
}

// --- internal ---

const asRouseRunDoes: Prepare = async (folder, sockets, env) =>
  (await writeStandIn(folder, { target, label: LABEL, sockets, env })).env;

function numberDescriptors(job: Job): { sockets: StandInSockets; fds: number[] } {
  const fds: number[] = [];
  const sockets = Object.entries(job).map(([name, list]) => [
    name,
    list.map(({ fd }) => ({ fd, descriptor: 2 + fds.push(fd) })),
  ]);
  return { sockets: Object.fromEntries(sockets), fds };
}
