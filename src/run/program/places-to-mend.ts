import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { RouseError } from "../../problem.ts";

/**
 * The folders in which a new file could mend a build that failed: beside every source, where an import leads to that found
 * nothing, and node_modules for a package that is not installed.
 * @param root where what no file has asked for is looked for
 */
export function placesToMend({ problems }: RouseError, files: readonly string[], root: string): string[] {
  const missing = problems.flatMap(({ what, where }) => {
    const specifier = /^Could not resolve "([^"]+)"/.exec(what)?.[1];
    return specifier === undefined ? [] : [{ specifier, folder: where?.file ? dirname(where.file) : root }];
  });
  const wanted = missing.map(({ specifier, folder }) =>
    /^\.{0,2}\//.test(specifier) ? dirname(resolve(folder, specifier)) : installFolder(folder, root),
  );
  return [...new Set([...files.map(dirname), ...wanted.map(existing)])];
}

// --- internal ---

/** npm writes a list of what it has installed into it, at the end. */
function installFolder(folder: string, root: string): string {
  const candidate = join(folder, "node_modules");
  if (existsSync(candidate)) return candidate;
  return dirname(folder) === folder ? join(root, "node_modules") : installFolder(dirname(folder), root);
}

function existing(folder: string): string {
  return existsSync(folder) ? folder : existing(dirname(folder));
}
