/**
 * Makes the folder of the npm package rouse-activation, ready for `npm publish`: the runtime alone, for servers that are not
 * built with Rouse. Usage: bin/pinned-node scripts/pack-activation.ts [FOLDER] (default: packages/activation/dist)
 *
 * There is one implementation, runtime.cjs, and everything else only passes it on: a program may both import and require
 * the package, and must not get two runtimes that do not know of each other's sockets.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { emitDeclarations } from "./declarations.ts";

const root = join(import.meta.dirname, "..");
const own = join(root, "packages/activation");
const folder = process.argv[2] ?? join(own, "dist");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
writeManifest();
writeReadme();
cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));
await writeRuntime();
writeIndex(await exportsOf("src/index.ts"));
writeTypes();

// --- internal ---

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

/** What is the same as in Rouse's own comes from there. */
function writeManifest(): void {
  const rouse = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;
  const { name, description, ...rest } = JSON.parse(readFileSync(join(own, "package.json"), "utf8"));
  const { version, license, author, engines } = rouse;
  write(
    "package.json",
    `${JSON.stringify({ name, version, description, license, author, engines, ...rest }, null, 2)}\n`,
  );
}

/** Without the comments that tell the tests how an example is run. */
function writeReadme(): void {
  write("README.md", readFileSync(join(own, "README.md"), "utf8").replaceAll(/^<!-- example: .* -->\n/gm, ""));
}

async function writeRuntime(): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: ["src/index.ts"],
    outfile: join(folder, "runtime.cjs"),
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    legalComments: "none",
    logLevel: "warning",
  });
}

/** The values, not the types. */
async function exportsOf(entry: string): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: "unused.mjs",
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
    metafile: true,
  });
  return Object.values(metafile.outputs)[0]!.exports.toSorted();
}

/** Written out, because that is what Node and bundlers can read without running it. */
function writeIndex(names: readonly string[]): void {
  const assignments = names.map((name) => `exports.${name} = runtime.${name};\n`);
  write("index.cjs", `"use strict";\nconst runtime = require("./runtime.cjs");\n${assignments.join("")}`);
  write("index.mjs", `export { ${names.join(", ")} } from "./index.cjs";\n`);
}

/** One set of types as well: a class declared twice would be two types. TypeScript 6 loads no types of Node unless told. */
function writeTypes(): void {
  using declarations = emitDeclarations();
  write("index.d.cts", `/// <reference types="node" />\n${declarations.rolledUp("src/index.ts")}`);
  write("index.d.mts", `export * from "./index.cjs";\n`);
}
