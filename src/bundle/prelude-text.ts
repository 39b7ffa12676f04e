import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Baked } from "./baked.ts";

/** What runs before the program does, as one line, so that it shifts no line of a printed source. */
export async function preludeText(file: "prelude" | "development-prelude", baked: Baked): Promise<string> {
  const prelude = await bundled(file, "__rouse_prelude", baked);
  if (baked.built.workers === undefined) return prelude;
  // The text is the body of a function, in a single executable as in a module of Node's.
  const supervisor = await bundled("supervisor", "__rouse_supervisor", baked);
  return `${prelude}${await bundled("worker", "__rouse_worker", baked)}if(!__rouse_worker.isWorker){${supervisor}return}`;
}

// --- internal ---

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

async function bundled(file: string, globalName: string, { define }: Baked): Promise<string> {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: [`./${file}.${extension}`],
    bundle: true,
    minify: true,
    platform: "node",
    format: "iife",
    globalName,
    target: "node26",
    define,
    write: false,
    logLevel: "silent",
  });
  // Without the empty statement its "use strict" would come first, and so be the whole program's.
  return `;${outputFiles[0]!.text.trim()}`;
}
