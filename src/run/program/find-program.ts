import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { RouseError } from "../../problem.ts";

/**
 * Where a program lies that a user names as in a shell.
 * @throws {RouseError} no-program
 */
export function findProgram(name: string, path: string | undefined, cwd: string): string {
  const candidates = name.includes("/")
    ? [resolve(cwd, name)]
    : (path ?? "/usr/local/bin:/usr/bin:/bin")
        .split(delimiter)
        .map((folder) => join(resolve(cwd, folder || "."), name));
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  const there = candidates.find(isFile);
  throw new RouseError(
    there === undefined
      ? {
          code: "no-program",
          what: `there is no program ${name}`,
          mend: "see that it is installed, and how it is spelled",
        }
      : { code: "no-program", what: `${there} is not executable`, mend: `chmod +x ${there}` },
  );
}

// --- internal ---

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return isFile(path);
  } catch {
    return false;
  }
}
