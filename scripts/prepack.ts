/** Makes dist/, or another folder, with what the npm package holds: Node strips no types below node_modules. */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { definitionJsonSchema } from "../src/definition.ts";
import { writeEntries } from "./entries.ts";

const root = join(import.meta.dirname, "..");
const dist = resolve(process.argv[2] ?? join(root, "dist"));

rmSync(dist, { recursive: true, force: true });
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", join(root, "tsconfig.build.json"), "--outDir", dist], {
  stdio: "inherit",
});
// What users import; dist/src/index.js is what a build puts into their programs.
await writeEntries(join(dist, "entries"), "runtime", { index: "src/index.ts", adopt: "src/adopt.ts" });
await writeEntries(join(dist, "entries"), "definition", { config: "src/config.ts" });
// Read beside the module that expands them.
cpSync(join(root, "packaging/deb/scripts"), join(dist, "packaging/deb/scripts"), {
  recursive: true,
  filter: (path) => !path.endsWith(".ts"),
});
cpSync(join(root, "src/run/processes/guardian.sh"), join(dist, "src/run/processes/guardian.sh"));
// Compiled on the user's machine, where that is macOS.
cpSync(join(root, "launchd/stand-in/stand-in.c"), join(dist, "launchd/stand-in/stand-in.c"));
writeFileSync(join(dist, "schema.json"), `${JSON.stringify(definitionJsonSchema(), null, 2)}\n`);
