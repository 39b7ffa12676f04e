import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Metafile } from "esbuild";
import { parse } from "jsonc-parser";
import { positionOf } from "../definition/json-file.ts";
import { RouseError } from "../problem.ts";

/**
 * What the project's own sources do that works in development and not inside an executable. esbuild says nothing of it, and
 * the program would fail on the machine where it is installed.
 * @param root the folder that the metafile's paths are relative to
 * @returns warnings, one line each, with file and line
 * @throws {RouseError} for decorator metadata, which the bundle would lack in silence
 */
export function checkOwnSources(metafile: Metafile, root: string, entry: string): string[] {
  const sources = readOwnSources(metafile, root);
  refuseMetadata(sources, entry);
  return sources.flatMap(({ path, text }) => warningsOf(path, text));
}

/**
 * What is refused of them wherever they run.
 * @throws {RouseError} for decorator metadata, as above
 */
export function refuseOwnSources(metafile: Metafile, root: string, entry: string): void {
  refuseMetadata(readOwnSources(metafile, root), entry);
}

/** The tsconfig that a file is compiled by, and those that it extends by a path. */
export function configFiles(entry: string): string[] {
  const follow = (file: string | undefined): string[] =>
    file === undefined || !existsSync(file) ? [] : [file, ...readConfig(file).bases.flatMap(follow)];
  return follow(nearestConfig(dirname(entry)));
}

// --- internal ---

interface OwnSource {
  readonly path: string;
  readonly text: string;
}

function readOwnSources({ inputs }: Metafile, root: string): OwnSource[] {
  return Object.keys(inputs)
    .filter((path) => /\.[cm]?[jt]sx?$/.test(path) && !path.includes(":") && !path.includes("node_modules/"))
    .filter((path) => existsSync(resolve(root, path))) // The second module of a top-level await is no file.
    .map((path) => ({ path, text: readFileSync(resolve(root, path), "utf8") }));
}

const patterns: readonly (readonly [pattern: RegExp, warning: string])[] = [
  [/new Worker\(\s*(new URL\(|["'`]\.)/, "a worker's file is not in the executable"],
  [
    /\bfork\(\s*(["'`]|new URL\(|join\(|resolve\()/,
    "fork starts the whole program again: no other file is in the executable",
  ],
  [/createRequire\([^)]*\)\(\s*["'`]\./, "a file that createRequire would read is not in the executable"],
  [/(__dirname|import\.meta\.dirname)\b/, "it is the folder of the executable, where the project's files are not"],
  [/new URL\(\s*["'`]\.{1,2}\/[^)]*import\.meta\.url/, "a file beside the source is not beside the executable"],
];

function warningsOf(path: string, text: string): string[] {
  const found = patterns.flatMap(([pattern, warning]) => {
    const match = pattern.exec(text);
    return match ? [{ line: positionOf(text, match.index).line, warning }] : [];
  });
  // The first that a line is found for is the most exact.
  const lines = new Map(found.toReversed().map(({ line, warning }) => [line, warning]));
  const inOrder = [...lines].sort(([one], [other]) => one - other);
  return inOrder.map(([line, warning]) => `${path}:${line}: ${warning} (docs/executable.md)`);
}

function refuseMetadata(sources: readonly OwnSource[], entry: string): void {
  if (!sources.some(({ path, text }) => /\.[cm]?tsx?$/.test(path) && /^\s*@[A-Za-z_$]/m.test(text))) return;
  const file = metadataConfig(nearestConfig(dirname(entry)));
  if (file === undefined) return;
  throw new RouseError({
    code: "not-yet",
    what: 'this release of Rouse does not do "emitDecoratorMetadata" yet, and the bundle would lack the metadata in silence',
    where: { file },
    mend: "compile the project with tsc and set entry to what it makes, for example dist/main.js",
  });
}

function nearestConfig(folder: string): string | undefined {
  const file = join(folder, "tsconfig.json");
  if (existsSync(file)) return file;
  return dirname(folder) === folder ? undefined : nearestConfig(dirname(folder));
}

/** The tsconfig that switches it on: this one, or one of those that it extends by a path. */
function metadataConfig(file: string | undefined): string | undefined {
  if (file === undefined || !existsSync(file)) return undefined;
  const { emitDecoratorMetadata: own, bases } = readConfig(file);
  if (own !== undefined) return own ? file : undefined;
  return bases.map(metadataConfig).find((found) => found !== undefined);
}

function readConfig(file: string): { emitDecoratorMetadata: boolean | undefined; bases: string[] } {
  const config = parse(readFileSync(file, "utf8")) as
    | { compilerOptions?: { emitDecoratorMetadata?: boolean }; extends?: string | string[] }
    | undefined;
  const bases = [config?.extends ?? []].flat().filter((base) => base.startsWith("."));
  return {
    emitDecoratorMetadata: config?.compilerOptions?.emitDecoratorMetadata,
    bases: bases.map((base) => resolve(dirname(file), base.endsWith(".json") ? base : `${base}.json`)),
  };
}
