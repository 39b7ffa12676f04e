/**
 * Makes the folder of the npm package rouse-activation, ready for `npm publish`: the runtime alone, for servers that are not
 * built with Rouse. Usage: bin/pinned-node scripts/pack-activation.ts [FOLDER] (default: packages/activation/dist)
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeEntries } from "./entries.ts";

const root = join(import.meta.dirname, "..");
const own = join(root, "packages/activation");
const folder = process.argv[2] ?? join(own, "dist");

rmSync(folder, { recursive: true, force: true });
await writeEntries(folder, "runtime", { index: "src/index.ts", adopt: "src/adopt.ts" });
writeManifest();
writeReadme();
cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));

// --- internal ---

/** What is the same as in Rouse's own comes from there. */
function writeManifest(): void {
  const { version, license, author, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { name, description, ...rest } = JSON.parse(readFileSync(join(own, "package.json"), "utf8"));
  const manifest = { name, version, description, license, author, engines, ...rest };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Without the comments that tell the tests how an example is run. */
function writeReadme(): void {
  const text = readFileSync(join(own, "README.md"), "utf8");
  writeFileSync(join(folder, "README.md"), text.replaceAll(/^<!-- example: .* -->\n/gm, ""));
}
