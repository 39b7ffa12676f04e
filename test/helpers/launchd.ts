/** Programs started as launchd starts them, on Linux: over the stand-in library of test/fixtures, preloaded. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Program, watch } from "../activation/program.ts";

/** The sockets of a job by name; a number is the errno that asking for that name gives. */
export type Job = Readonly<Record<string, { readonly fd: number } | readonly { readonly fd: number }[] | number>>;

export interface LaunchdProgram extends Program {
  /** What the stand-in saw, once the program has ended: `call NAME RESULT`, `free NAME`, `free-again NAME`, `leak NAME`. */
  report(): string[];
}

export interface LaunchdOptions {
  /** Undefined: launch_activate_socket answers ESRCH, as for a process that launchd does not manage. */
  readonly job?: Job | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a program with XPC_SERVICE_NAME, as launchd does, and the sockets to be asked for by launch_activate_socket(3). */
export function startUnderLaunchd(
  t: TestContext,
  command: string,
  args: readonly string[],
  { job, env }: LaunchdOptions,
): LaunchdProgram {
  const folder = mkdtempSync(join(tmpdir(), "rouse-launchd-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "report");
  const { entries, descriptors } = numberDescriptors(job ?? {});
  const child = spawn(command, args, {
    env: {
      ...process.env,
      XPC_SERVICE_NAME: "com.example.test",
      LD_PRELOAD: compileStandIn(folder),
      LAUNCHD_STAND_IN: job && entries.join(";"),
      LAUNCHD_STAND_IN_REPORT: path,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe", ...descriptors],
  });
  return { ...watch(child), report: () => readReport(path) };
}

// --- internal ---

const FIRST_DESCRIPTOR = 3;

function numberDescriptors(job: Job): { entries: string[]; descriptors: number[] } {
  const descriptors: number[] = [];
  const entries = Object.entries(job).map(([name, value]) => {
    if (typeof value === "number") return `${name}=!${value}`;
    const numbers = [value].flat().map(({ fd }) => descriptors.push(fd) - 1 + FIRST_DESCRIPTOR);
    return `${name}=${numbers.join(",")}`;
  });
  return { entries, descriptors };
}

/** Takes a tenth of a second. */
function compileStandIn(folder: string): string {
  const source = join(import.meta.dirname, "../fixtures/launchd-stand-in.c");
  const library = join(folder, "launchd-stand-in.so");
  execFileSync("cc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source]);
  return library;
}

function readReport(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n");
  } catch {
    return []; // Nobody asked.
  }
}
