/**
 * A stand-in for launchd: a library that is loaded into a program before all others and offers launch_activate_socket(3) with
 * the contract of <launch.h>, over sockets that the program inherits. For `rouse run`; no part of what is built.
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RouseError } from "../src/problem.ts";
import type { Target } from "../src/service.ts";
import { describeJob, type StandInSockets } from "./stand-in/job.ts";
import { linuxLibrary } from "./stand-in/library.ts";

export interface StandIn {
  /** What the program runs on, which is what this process runs on. */
  readonly target: Target;
  /** The job's name, which programs find in XPC_SERVICE_NAME. */
  readonly label: string;
  readonly sockets: StandInSockets;
  /** The environment that the program gets otherwise: what it preloads already stays. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Writes the library into a folder, where it has to stay while the program runs, and gives the variables to be set for it.
 * A name gives its sockets once in a process's life; afterwards EALREADY, for another name ENOENT, and ESRCH where the process
 * has not inherited them.
 * @throws {RouseError} "stand-in-path" or "stand-in-not-loaded"
 */
export async function writeStandIn(
  folder: string,
  { target, label, sockets, env }: StandIn,
): Promise<{ env: Record<string, string> }> {
  const library = join(folder, "librouse-launchd.so");
  refuseSeparators(folder);
  const machine = target === "linux-arm64" ? "arm64" : "x64";
  await replace(library, linuxLibrary(machine, describeJob(sockets)));
  tryLoading(library);
  return { env: { XPC_SERVICE_NAME: label, LD_PRELOAD: [env.LD_PRELOAD, library].filter(Boolean).join(":") } };
}

// --- internal ---

/** ld.so(8) separates what is to be preloaded by colons and blanks, without a way to escape them, and replaces $ORIGIN and its like. */
function refuseSeparators(folder: string): void {
  if (!/[\s:$]/.test(folder)) return;
  throw new RouseError({
    code: "stand-in-path",
    what: `a library cannot be preloaded from ${JSON.stringify(folder)}: LD_PRELOAD allows no blank, ":" or "$" in a path`,
    mend: "set TMPDIR to a folder without them",
  });
}

/** A program of an earlier start may have the old one mapped. */
async function replace(path: string, bytes: Buffer): Promise<void> {
  await writeFile(`${path}.new`, bytes, { mode: 0o755 });
  await rename(`${path}.new`, path);
}

/** ld.so only warns about a library that it cannot preload, and the program would find no launchd. */
function tryLoading(library: string): void {
  try {
    process.getBuiltinModule("node:ffi").dlopen(library).lib.close();
  } catch (error) {
    throw new RouseError(
      {
        code: "stand-in-not-loaded",
        what: `the stand-in for launchd cannot be loaded: ${(error as Error).message}`,
        mend: "if the folder is mounted noexec, set TMPDIR to another one",
      },
      { cause: error },
    );
  }
}
