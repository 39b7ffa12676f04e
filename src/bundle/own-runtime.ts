import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";
import type { Baked } from "./baked.ts";

/**
 * Gives the program our runtime where it imports `rouse`, or a package that it uses `rouse-activation`: the one of the Rouse
 * that builds, because units and program are two halves of one contract. Into an executable it goes
 * minified: every byte of it is in every service, and nobody debugs it there.
 */
export function ownRuntime(baked: Baked, { minify }: { readonly minify: boolean }): Plugin {
  return {
    name: "own-runtime",
    setup({ onResolve, onLoad }) {
      const resolveDir = fileURLToPath(new URL(".", import.meta.url));
      let runtime: Promise<string> | undefined;
      const contents = () => {
        runtime ??= bundleRuntime(baked, minify);
        return runtime;
      };
      onResolve({ filter: /^rouse(-activation)?$/ }, () => ({ path: "rouse", namespace, sideEffects: false }));
      onLoad({ filter: /^rouse$/, namespace }, async () => ({
        contents: await contents(),
        resolveDir,
      }));
      onResolve({ filter: /^rouse(-activation)?\/adopt$/ }, () => ({
        path: "rouse/adopt",
        namespace,
        sideEffects: true,
      }));
      // From the one runtime, so that the program finds the same sockets where it imports `rouse` too.
      onLoad({ filter: /^rouse\/adopt$/, namespace }, () => ({ contents: ADOPT, resolveDir }));
    },
  };
}

/** What has to run before the program's first line, for esbuild's `inject`. */
export function runsFirst({ built }: Baked): string[] {
  return Object.values(built.sockets).some(({ adopt }) => adopt !== undefined) ? ["rouse/adopt"] : [];
}

/** Whether something of the runtime is in the output, and not only looked at and shaken off. */
export function containsRuntime({ outputs }: Metafile): boolean {
  return Object.values(outputs).some(({ inputs }) => (inputs[`${namespace}:rouse`]?.bytesInOutput ?? 0) > 0);
}

// --- internal ---

const namespace = "rouse-runtime";
const ADOPT = `import { __adopt } from "rouse"; __adopt();`;
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

async function bundleRuntime({ define }: Baked, minify: boolean): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`./runtime.${extension}`, import.meta.url))],
    bundle: true,
    minify,
    platform: "node",
    format: "esm",
    target: "node26",
    define,
    legalComments: "none",
    write: false,
    logLevel: "silent",
  });
  return mergeImports(outputFiles[0]!.text);
}

/** One import of each module instead of one for each of our files: esbuild keeps them apart, and each is a line of every program. */
function mergeImports(text: string): string {
  const names = new Map<string, string[]>();
  const rest = text.replaceAll(/import\{([^}]*)\}from"(node:[^"]+)";/g, (_, list: string, module: string) => {
    names.set(module, [...(names.get(module) ?? []), list]);
    return "";
  });
  return [...names].map(([module, lists]) => `import{${lists.join()}}from"${module}";`).join("") + rest;
}
