/**
 * A stand-in for launchd: a library that is loaded into a program before all others and offers launch_activate_socket(3) with
 * the contract of <launch.h>, over sockets that the program inherits. For `rouse run`; no part of what is built.
 */
import { rename, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { hasForeignFunctions } from "../src/activation/ffi.ts";
import { RouseError } from "../src/problem.ts";
import type { Target } from "../src/service.ts";
import { compileMacLibrary } from "./stand-in/compile.ts";
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
 * @throws {RouseError} "stand-in-path" or "stand-in-not-loaded"; on macOS also "no-compiler" or "stand-in-not-compiled"
 */
export async function writeStandIn(
  folder: string,
  { target, label, sockets, env }: StandIn,
): Promise<{ env: Record<string, string> }> {
  const [platform, machine] = target.split("-") as ["linux" | "darwin", "x64" | "arm64"];
  const { variable, file, separators, rule } = preloading[platform];
  const library = resolve(folder, file);
  if (separators.test(library)) throw unusablePath(folder, `${variable} allows no ${rule} in a path`);
  const job = describeJob(sockets);
  const unfinished = `${library}.new`;
  if (platform === "linux") await writeFile(unfinished, linuxLibrary(machine, job), { mode: 0o755 });
  else await compileMacLibrary(unfinished, job, { folder, machine, env });
  tryLoading(unfinished);
  // A program of an earlier start may have the old one mapped.
  await rename(unfinished, library);
  return { env: { XPC_SERVICE_NAME: label, [variable]: [env[variable], library].filter(Boolean).join(":") } };
}

// --- internal ---

/** ld.so(8) and dyld(1) have no way to escape what separates paths; ld.so replaces $ORIGIN and its like, too. */
const preloading = {
  linux: {
    variable: "LD_PRELOAD",
    file: "librouse-launchd.so",
    separators: /[ \t\n\v\f\r:$]/,
    rule: 'blank, ":" or "$"',
  },
  darwin: { variable: "DYLD_INSERT_LIBRARIES", file: "librouse-launchd.dylib", separators: /:/, rule: '":"' },
} as const;

function unusablePath(folder: string, why: string): RouseError {
  return new RouseError({
    code: "stand-in-path",
    what: `the stand-in for launchd cannot be preloaded from ${JSON.stringify(folder)}: ${why}`,
    mend: "set TMPDIR to another folder",
  });
}

/** ld.so only warns about a library that it cannot preload, and then the program would find no launchd. */
function tryLoading(library: string): void {
  hasForeignFunctions(); // Which loads node:ffi without Node's warning.
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
