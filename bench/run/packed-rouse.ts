import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes what the npm package holds, with this checkout's dependencies: in a checkout the sources themselves run, whose types Node has to
 * strip at every start.
 * @param folder path of a folder that is not there yet
 * @returns path of the program
 */
export function packRouse(folder: string): string {
  mkdirSync(folder);
  execFileSync(process.execPath, [join(root, "scripts/prepack.ts"), join(folder, "dist")], { stdio: "inherit" });
  for (const part of ["bin", "package.json"]) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "bin/rouse");
}

// --- internal ---

const root = join(import.meta.dirname, "../..");
