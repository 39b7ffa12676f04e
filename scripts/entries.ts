/**
 * What programs import, as npm packages carry it. Of each there is one implementation, in CommonJS, and the rest only passes
 * it on: a program may both import and require the runtime, and must not get two that do not know of each other's sockets. And
 * Node starts with one file in a third of the time that it needs for forty.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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
  const output = {
    outfile: join(folder, `${bundle}.cjs`),
    minify: true,
    format: "cjs",
    ...onceInProcess(bundle),
  } as const;
  await build({ ...options, stdin, ...output });
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

/**
 * Makes the bundle a function that takes `require`, since bundlers that make ES modules leave no other way to Node's own
 * modules, and gives the same to everyone: a program may have several copies, such as Rouse's and that of a framework which uses
 * rouse-activation. Of the same version the first is everybody's. What another version would make of its sockets nobody knows.
 */
function onceInProcess(bundle: string): Pick<BuildOptions, "banner" | "footer"> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const key = JSON.stringify(`rouse ${bundle} ${version}`);
  const start = `"use strict";module.exports=(require)=>globalThis[Symbol.for(${key})]??=(()=>{const module={exports:{}};`;
  return { banner: { js: start }, footer: { js: "return module.exports})();" } };
}

type Files = Record<string, string>;

/** The values are written out, because that is what Node and bundlers read without running it. */
function passingEntry(name: string, bundle: string, values: readonly string[]): Files {
  const passed = values.map((value) => `exports.${value} = ${name}.${value};\n`);
  return {
    [`${name}.cjs`]: `"use strict";\nconst { ${name} } = ${loadInCommonJs(bundle)};\n${passed.join("")}`,
    [`${name}.mjs`]: `${importOf(bundle)}export const { ${values.join(", ")} } = ${LOAD}.${name};\n`,
    [`${name}.d.mts`]: `export * from "./${name}.cjs";\n`,
  };
}

function actingEntry(name: string, bundle: string): Files {
  return {
    [`${name}.cjs`]: `"use strict";\n${loadInCommonJs(bundle)}.${name}();\n`,
    [`${name}.mjs`]: `${importOf(bundle)}${LOAD}.${name}();\n`,
    [`${name}.d.mts`]: "export {};\n",
  };
}

/** For modules of Node's any file will do as the one that requires. */
const LOAD = `load(createRequire("file:///"))`;

function importOf(bundle: string): string {
  return `import { createRequire } from "node:module";\nimport load from "./${bundle}.cjs";\n`;
}

function loadInCommonJs(bundle: string): string {
  return `require("./${bundle}.cjs")(require("node:module").createRequire("file:///"))`;
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
