/**
 * What programs import, as npm packages carry it. Of each there is one implementation, in CommonJS, and the rest only passes
 * it on: a program may both import and require the runtime, and must not get two that do not know of each other's sockets. And
 * Node starts with one file in a third of the time that it needs for forty.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { type Declarations, emitDeclarations } from "./declarations.ts";

const root = join(import.meta.dirname, "..");

/** Writes each entry (a name, and the source behind it) into the folder: NAME.cjs, NAME.mjs, and types for both. */
export async function writeEntries(folder: string, entries: Readonly<Record<string, string>>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  using declarations = emitDeclarations();
  for (const [name, source] of Object.entries(entries)) {
    const values = await valuesOf(source);
    await build({ ...optionsFor(source), outfile: join(folder, `${name}.cjs`), minify: true, format: "cjs" });
    writeFileSync(join(folder, `${name}.mjs`), `export { ${values.join(", ")} } from "./${name}.cjs";\n`);
    writeFileSync(join(folder, `${name}.d.cts`), typesOf(declarations, source));
    writeFileSync(join(folder, `${name}.d.mts`), `export * from "./${name}.cjs";\n`);
  }
}

// --- internal ---

const optionsFor = (source: string): BuildOptions => ({
  absWorkingDir: root,
  entryPoints: [source],
  bundle: true,
  platform: "node",
  target: "node20",
  legalComments: "none",
  logLevel: "warning",
});

/** What the source exports, without its types. */
async function valuesOf(source: string): Promise<readonly string[]> {
  const changes = { outfile: "unused.mjs", format: "esm", write: false, metafile: true } as const;
  const { metafile } = await build({ ...optionsFor(source), ...changes });
  return Object.values(metafile!.outputs)[0]!.exports.toSorted();
}

/** TypeScript 6 loads no types of Node unless told. */
function typesOf(declarations: Declarations, source: string): string {
  const text = declarations.rolledUp(source);
  return /\bNodeJS\.|from "node:/.test(text) ? `/// <reference types="node" />\n${text}` : text;
}
