import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";
import type { Built } from "../activation/built.ts";

/**
 * Gives the program our runtime where it imports `rouse`, or a package that it uses `rouse-activation`: the one of the Rouse
 * that builds, because units and program are two halves of one contract. It goes in minified: every byte of it is in every service, and nobody debugs it there.
 */
export function ownRuntime(built: Built): Plugin {
  return {
    name: "own-runtime",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^rouse(-activation)?$/ }, () => ({ path: "rouse", namespace, sideEffects: false }));
      onLoad({ filter: /.*/, namespace }, async () => ({
        contents: await bundleRuntime(built),
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      }));
    },
  };
}

/** Whether something of the runtime is in the output, and not only looked at and shaken off. */
export function containsRuntime({ outputs }: Metafile): boolean {
  return Object.values(outputs).some(({ inputs }) => (inputs[`${namespace}:rouse`]?.bytesInOutput ?? 0) > 0);
}

// --- internal ---

const namespace = "rouse-runtime";
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

async function bundleRuntime(built: Built): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../index.${extension}`, import.meta.url))],
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node26",
    define: { ROUSE_BUILT: JSON.stringify(built) },
    legalComments: "none",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}
