import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

/** Whether a program can be started by its name. Debian's own tools lie in sbin, which a plain user's PATH lacks. */
export function isOnPath(program: string, path: string = process.env.PATH ?? ""): boolean {
  const folders = [...path.split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.some((folder) => isExecutable(join(folder, program)));
}

/** True when the tool is here; otherwise the test is skipped with the reason, or fails where everything has to be here (CI). */
export function has(t: TestContext, tool: string, debianPackage: string): boolean {
  if (isOnPath(tool)) return true;
  const reason = `${tool} is missing: apt-get install ${debianPackage}`;
  if (process.env.CI) throw new Error(reason);
  t.skip(reason);
  return false;
}

// --- internal ---

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
