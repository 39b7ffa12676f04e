import { type Problem, RouseError } from "../problem.ts";
import type { RunOptions } from "../run.ts";
import type { Service } from "../service.ts";
import { findProgram } from "./program/find-program.ts";
import { requireThere } from "./watch/watch.ts";

/** What is to be run: a service by its definition, or a program alone. */
export interface Subject {
  readonly service: Service | undefined;
  /** Instead of a service's. */
  readonly command: readonly [string, ...string[]] | undefined;
  readonly cwd: string;
  readonly warnings: readonly Problem[];
}

/** @throws {RouseError} where there is no definition, it is wrong, or an option has no meaning for what is to be run */
export async function findSubject(options: RunOptions): Promise<Subject> {
  const { command, folder } = options;
  for (const path of options.watchPaths) requireThere(path);
  if (options.sandbox) refuseBesideSandbox(options);
  if (command === undefined) {
    refuse(options.accept, "--accept", 'set accept: "connection" on the socket in the definition');
    // A third of what a start loads, and a program alone has no use for it.
    const { readServiceToRun } = await import("../definition.ts");
    const { service, warnings } = await readServiceToRun(folder, { host: options.host, sandbox: options.sandbox });
    return { service, command, cwd: service.root, warnings };
  }
  refuse(options.inspect !== undefined, "--inspect", "give it to node itself: rouse run -- node --inspect server.js");
  const [name = "", ...args] = command;
  const program = findProgram(name, options.env.PATH, folder);
  return { service: undefined, command: [program, ...args], cwd: folder, warnings: [] };
}

// --- internal ---

function refuseBesideSandbox({ as, command, inspect, withoutPid }: RunOptions): void {
  const mend = "leave it or --sandbox out";
  refuse(
    command !== undefined,
    "--sandbox with a program after --",
    "write a definition: the sandbox is that of its unit",
  );
  refuse(as !== "systemd", `--as ${as} beside --sandbox`, mend);
  refuse(withoutPid, "--no-pid beside --sandbox", mend);
  refuse(inspect !== undefined, "--inspect beside --sandbox, which has no network for a debugger,", mend);
}

function refuse(isGiven: boolean, flag: string, mend: string): void {
  if (isGiven) throw new RouseError({ code: "meaningless-option", what: `${flag} has no meaning here`, mend });
}
