import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { Loader, Plugin } from "esbuild";
import { nativePackageOf } from "./native-packages.ts";

/** What a build has looked at, also one that failed. The plugin fills it, from the start of each build anew. */
export interface SeenSources {
  /** Absolute paths of the project's own files: those under node_modules are not its. */
  readonly files: Set<string>;
  /** Packages, and files of the project, with machine code of which only Node itself can load. */
  readonly native: Set<string>;
}

/**
 * Gives every file of the bundle its own import.meta, __filename and __dirname, and leaves native addons, and the packages
 * that have one, where they are: Node loads them when the program runs.
 */
export function sourcesInPlace(seen: SeenSources): Plugin {
  return {
    name: "sources-in-place",
    setup({ onStart, onLoad }) {
      onStart(() => {
        seen.files.clear();
        seen.native.clear();
      });
      onLoad({ filter: /.*/, namespace: "file" }, async ({ path }) => {
        const isInstalled = path.includes("/node_modules/");
        if (!isInstalled) seen.files.add(path);
        const native = path.endsWith(".node") ? path : isInstalled ? nativePackageOf(path) : undefined;
        if (native !== undefined) {
          seen.native.add(native);
          return { contents: `module.exports = __rouse_prelude.load(${JSON.stringify(path)});` };
        }
        const loader = loaders[extname(path)];
        if (loader === undefined) return undefined;
        const text = await readFile(path, "utf8");
        return usesItsPlace.test(text) ? { contents: insert(text, declaration(path)), loader } : undefined;
      });
    },
  };
}

/** A line of a source without what stands in front of it in the bundle alone, and the column in it. */
export function withoutPlace(line: string, column: number): { line: string; column: number } {
  const match = inserted.exec(line);
  if (!match) return { line, column };
  const length = match[0].length;
  return { line: line.replace(inserted, ""), column: column > match.index + length ? column - length : column };
}

// --- internal ---

const loaders: Readonly<Record<string, Loader>> = {
  ".js": "js",
  ".cjs": "js",
  ".mjs": "js",
  ".jsx": "jsx",
  ".ts": "ts",
  ".cts": "ts",
  ".mts": "ts",
  ".tsx": "tsx",
};

const usesItsPlace = /\bimport\s*\.\s*meta\b|\b__(dirname|filename)\b/;

/** On the line of the file's first statement, so that no other line moves. Unused it is shaken off. */
const declaration = (path: string): string =>
  `const __rouse_here = /* @__PURE__ */ __rouse_prelude.here(${JSON.stringify(path)});`;

const inserted = /const __rouse_here = .*? __rouse_prelude\.here\("(?:[^"\\]|\\.)*"\);/;

/** After what has to come first: #!, and directives with the comments around them. */
function insert(text: string, statement: string): string {
  const start = firstStatement(text);
  // A directive may end with its line alone.
  const separator = /["']\s*$/.test(text.slice(0, start)) ? ";" : "";
  return text.slice(0, start) + separator + statement + text.slice(start);
}

function firstStatement(text: string): number {
  const read = (pattern: RegExp, from: number): number => {
    pattern.lastIndex = from;
    return pattern.test(text) ? pattern.lastIndex : from;
  };
  let end = read(/\uFEFF?(#!.*\n)?/y, 0);
  for (let at = end, before = -1; at !== before; ) {
    before = at;
    at = read(/\s+|\/\/.*|\/\*[\s\S]*?\*\//y, at);
    const directive = read(/(["'])use \w+\1\s*(;|(?=\n))/y, at);
    if (directive > at) at = end = directive;
  }
  return end;
}
