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

/**
 * Writes BUNDLE.cjs, which holds all of these entries (a name, and the source behind it), and for each NAME.cjs, NAME.mjs and
 * types for both. An entry that exports nothing is run where it is imported, and not before.
 */
export async function writeEntries(
  folder: string,
  bundle: string,
  entries: Readonly<Record<string, string>>,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  using declarations = emitDeclarations();
  const parts: string[] = [];
  for (const [name, source] of Object.entries(entries)) {
    const values = await valuesOf(source);
    const acts = values.length === 0;
    const path = JSON.stringify(`./${source}`);
    parts.push(acts ? `export const ${name} = () => require(${path});` : `export * as ${name} from ${path};`);
    const files = acts ? actingEntry(name, bundle) : passingEntry(name, bundle, values);
    files[`${name}.d.cts`] = typesOf(declarations, source);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  }
  const stdin = { contents: parts.join("\n"), resolveDir: root, loader: "ts" } as const;
  await build({ ...options, stdin, outfile: join(folder, `${bundle}.cjs`), minify: true, format: "cjs" });
}

// --- internal ---

const options: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  legalComments: "none",
  logLevel: "warning",
};

type Files = Record<string, string>;

/** The values are written out, because that is what Node and bundlers read without running it. */
function passingEntry(name: string, bundle: string, values: readonly string[]): Files {
  const passed = values.map((value) => `exports.${value} = ${name}.${value};\n`);
  return {
    [`${name}.cjs`]: `"use strict";\nconst { ${name} } = require("./${bundle}.cjs");\n${passed.join("")}`,
    [`${name}.mjs`]: `export { ${values.join(", ")} } from "./${name}.cjs";\n`,
    [`${name}.d.mts`]: `export * from "./${name}.cjs";\n`,
  };
}

function actingEntry(name: string, bundle: string): Files {
  return {
    [`${name}.cjs`]: `"use strict";\nrequire("./${bundle}.cjs").${name}();\n`,
    [`${name}.mjs`]: `import "./${name}.cjs";\n`,
    [`${name}.d.mts`]: "export {};\n",
  };
}

/** What the source exports, without its types. */
async function valuesOf(source: string): Promise<readonly string[]> {
  const unwritten = { outfile: "unused.mjs", format: "esm", write: false, metafile: true } as const;
  const { metafile } = await build({ ...options, ...unwritten, entryPoints: [source] });
  return Object.values(metafile.outputs)[0]!.exports.toSorted();
}

/** TypeScript 6 loads no types of Node unless told. */
function typesOf(declarations: Declarations, source: string): string {
  const text = declarations.rolledUp(source);
  return /\bNodeJS\.|from "node:/.test(text) ? `/// <reference types="node" />\n${text}` : text;
}
