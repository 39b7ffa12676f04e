/**
 * What Node loads before the program's entry under `rouse run` (--require). It puts the bundle in the entry's place, which to
 * Node, and so to the program, keeps its name: __filename, require, process.argv[1], what a supervisor, node:cluster and
 * fork start again. Bundled on its own; never in an executable.
 */
import { closeSync, readFileSync, readSync } from "node:fs";
import Module from "node:module";
import { extname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { reportFirstByte } from "./first-byte.ts";

/** Absolute path of the source that the program starts with, as it stands on the command line. */
declare const ROUSE_ENTRY: string;
/** Absolute path of its bundle. */
declare const ROUSE_BUNDLE: string;

interface InnerModule {
  runMain(): void;
  _load(file: string, parent: null, isMain: boolean): unknown;
  readonly _extensions: Record<string, (module: CompiledModule, file: string) => void>;
}

interface CompiledModule {
  _compile(code: string, file: string, format: string): void;
}

const inner = Module as unknown as InnerModule;
waitAtGate(take("ROUSE_RUN_GATE"));
const fd = take("ROUSE_RUN_REPORT");
// Others that Node starts with the same options: the program's own worker threads, and what it forks.
if (isMainThread && process.argv[1] === ROUSE_ENTRY) {
  if (fd !== undefined) reportFirstByte(fd);
  // node:module lets preloaded scripts replace it: for ts-node and its like.
  inner.runMain = runBundle;
}

// --- internal ---

/** So that no child of the program takes the descriptor's number for its own. */
function take(variable: string): number | undefined {
  const text = process.env[variable];
  Reflect.deleteProperty(process.env, variable);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The process before has not ended yet: Node is up, and nothing of the program has run. Without a launcher nothing will. */
function waitAtGate(gate: number | undefined): void {
  if (gate === undefined) return;
  if (readSync(gate, Buffer.alloc(1)) === 0) process.exit();
  closeSync(gate);
}

function runBundle(): void {
  const { _extensions: loaders } = inner;
  const extension = extname(ROUSE_ENTRY);
  const before = loaders[extension];
  loaders[extension] = (module, file) => {
    if (before) loaders[extension] = before;
    else Reflect.deleteProperty(loaders, extension);
    module._compile(readFileSync(ROUSE_BUNDLE, "utf8"), file, "commonjs");
  };
  inner._load(ROUSE_ENTRY, null, true);
}
