import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** What runs before the program does, as one line, so that it shifts no line of a printed source. */
export async function preludeText(): Promise<string> {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: [`./prelude.${extension}`],
    bundle: true,
    minify: true,
    platform: "node",
    format: "iife",
    globalName: "__rouse_prelude",
    target: "node26",
    write: false,
    logLevel: "silent",
  });
  // Without the empty statement its "use strict" would come first, and so be the whole program's.
  return `;${outputFiles[0]!.text.trim()}`;
}

// --- internal ---

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
