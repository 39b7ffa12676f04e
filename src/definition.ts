import type { Definition } from "./definition/definition.ts";
import { programFor } from "./definition/exec.ts";
import { findNotYet } from "./definition/not-yet.ts";
import type { Purpose } from "./definition/purpose.ts";
import { resolveService } from "./definition/resolve.ts";
import { definitionSchema } from "./definition/schema.ts";
import { schemaProblems } from "./definition/schema-problems.ts";
import { findSource, type Source } from "./definition/source.ts";
import { findWithoutEffect } from "./definition/without-effect.ts";
import { type Problem, RouseError } from "./problem.ts";
import type { Service } from "./service.ts";

export { definitionJsonSchema } from "./definition/schema.ts";

/**
 * The service that a folder defines in rouse.config.ts, rouse.config.json or package.json's `"rouse"`, to be built.
 * @param folder absolute path
 * @param check what else is to be judged; the problems that it throws get their places in the definition
 * @throws {RouseError} with every problem at once, each with its key and, where the definition is JSON, line and column
 */
export async function readService(folder: string, check: (service: Service) => void = () => {}): Promise<Service> {
  const source = await findSource(folder);
  const definition = parse(source);
  refuse(source, findNotYet(definition));
  const service = resolve(source, definition, folder, { for: "build" });
  try {
    check(service);
  } catch (error) {
    if (error instanceof RouseError) refuse(source, error.problems);
    throw error;
  }
  return service;
}

export interface RunOptions {
  /** The machine, for example "linux-x64". */
  readonly host: string;
  /** Whether it is to run under the sandbox of its unit. */
  readonly sandbox?: boolean;
}

/**
 * The same, to be run from its sources: what only a build needs is not asked for, and what a build does not do yet is taken.
 * @returns the service, whose `exec` is the program for this machine, and warnings of what has no effect on a run
 * @throws {RouseError} as readService
 */
export async function readServiceToRun(
  folder: string,
  { host, sandbox = false }: RunOptions,
): Promise<{ service: Service; warnings: Problem[] }> {
  const source = await findSource(folder);
  const definition = parse(source);
  const whole = resolve(source, definition, folder, { for: "run", host });
  const service = { ...whole, exec: whole.exec && programFor(whole.exec, host) };
  return { service, warnings: placed(source, findWithoutEffect(definition, sandbox)) };
}

// --- internal ---

function parse(source: Source): Definition {
  const parsed = definitionSchema.safeParse(source.value);
  if (!parsed.success) throw new RouseError(placed(source, schemaProblems(parsed.error)));
  return parsed.data;
}

function resolve(source: Source, definition: Definition, folder: string, purpose: Purpose): Service {
  const { readFrom } = source;
  const { service, problems } = resolveService(definition, source.manifest, folder, { readFrom, purpose });
  refuse(source, problems);
  return service;
}

function refuse(source: Source, problems: readonly Problem[]): void {
  if (problems.length > 0) throw new RouseError(placed(source, problems));
}

function placed(source: Source, problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => ({
    ...problem,
    // A problem that names its own file (package.json) keeps it.
    where: problem.where?.file
      ? problem.where
      : { ...source.place(problem.where?.key?.split(".") ?? []), ...problem.where },
  }));
}
