import { programFileProblems } from "../../definition/exec.ts";
import { RouseError } from "../../problem.ts";
import type { Service } from "../../service.ts";
import { createEntryBuilder } from "./entry-builder.ts";

/** Makes what a run starts, and makes it again. */
export interface ProgramBuilder extends AsyncDisposable {
  /**
   * The program as the sources are now. What the last one started is left as it is.
   * @throws {RouseError} with what `rouse build` would say
   */
  build(): Promise<BuiltProgram>;
  /**
   * Absolute paths of what the last build depended on, well or ill. After one that failed, the folders too in which a file
   * could appear that mends it. Those of packages are left out.
   */
  files(): readonly string[];
}

export interface BuiltProgram {
  /** To be followed by the program's arguments: the service's `args`, then those of the command line. */
  readonly command: readonly [file: string, ...args: string[]];
  /** Whether the program tells the manager when it is ready. */
  readonly usesRuntime: boolean;
  /** What a person should read about it, one line each. */
  readonly warnings: readonly string[];
}

export interface ProgramOptions {
  /** As Node takes it, for example "--inspect=127.0.0.1:9229" or "--inspect-brk". */
  readonly inspect?: string | undefined;
}

/**
 * Of an entry the bundle, written into `folder`; of `exec` that program itself, of which nothing is made.
 * @param service as readServiceToRun gives it
 * @param folder absolute path; must exist, and be kept for as long as anything runs that was built
 */
export function createProgramBuilder(
  service: Service,
  folder: string,
  { inspect }: ProgramOptions = {},
): ProgramBuilder {
  return service.exec === undefined ? createEntryBuilder(service, folder, inspect) : execBuilder(service, inspect);
}

// --- internal ---

function execBuilder({ exec, readFrom }: Service, inspect: string | undefined): ProgramBuilder {
  if (typeof exec !== "string") throw new Error("the service was not read to be run");
  return {
    async build() {
      const problems = programFileProblems("exec", exec);
      if (problems.length > 0) throw new RouseError(problems);
      const warnings = inspect === undefined ? [] : [`${inspect} has no effect: the program is not Node's to inspect`];
      return { command: [exec], usesRuntime: false, warnings };
    },
    files: () => [exec, ...readFrom],
    async [Symbol.asyncDispose]() {},
  };
}
