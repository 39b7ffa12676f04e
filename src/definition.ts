import { findNotYet } from "./definition/not-yet.ts";
import { resolveService } from "./definition/resolve.ts";
import { definitionSchema } from "./definition/schema.ts";
import { schemaProblems } from "./definition/schema-problems.ts";
import { findSource, type Source } from "./definition/source.ts";
import { type Problem, RouseError } from "./problem.ts";
import type { Service } from "./service.ts";

export { definitionJsonSchema } from "./definition/schema.ts";

/**
 * The service that a folder defines in rouse.config.ts, rouse.config.json or package.json's `"rouse"`.
 * @param folder absolute path
 * @param check what else is to be judged; the problems that it throws get their places in the definition
 * @throws {RouseError} with every problem at once, each with its key and, where the definition is JSON, line and column
 */
export async function readService(folder: string, check: (service: Service) => void = () => {}): Promise<Service> {
  const source = await findSource(folder);
  const parsed = definitionSchema.safeParse(source.value);
  if (!parsed.success) fail(source, schemaProblems(parsed.error));
  const notYet = findNotYet(parsed.data);
  if (notYet.length > 0) fail(source, notYet);
  const { service, problems } = resolveService(parsed.data, source.manifest, folder);
  if (problems.length > 0) fail(source, problems);
  try {
    check(service);
  } catch (error) {
    if (error instanceof RouseError) fail(source, error.problems);
    throw error;
  }
  return service;
}

// --- internal ---

function fail(source: Source, problems: readonly Problem[]): never {
  throw new RouseError(
    problems.map((problem) => ({
      ...problem,
      // A problem that names its own file (package.json) keeps it.
      where: problem.where?.file
        ? problem.where
        : { ...source.place(problem.where?.key?.split(".") ?? []), ...problem.where },
    })),
  );
}
