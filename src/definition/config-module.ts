import { randomBytes } from "node:crypto";
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { setSourceMapsSupport } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { esbuildProblems } from "../esbuild-problems.ts";
import { type Place, RouseError } from "../problem.ts";

/**
 * The default export of a rouse.config.ts. It is bundled first (packages stay outside), so that enums, extensionless
 * imports and `"type": "commonjs"` projects work, which Node's own type stripping refuses.
 * @throws {RouseError} for a syntax error, an import that is not there, a throw while it runs, or no default export
 */
export async function importConfig(file: string): Promise<unknown> {
  const code = await bundleConfig(file);
  const { module, remove } = writeBeside(file, code);
  try {
    setSourceMapsSupport(true, { nodeModules: true });
    const { default: value } = (await import(pathToFileURL(module).href)) as { default?: unknown };
    if (value === undefined) {
      throw new RouseError({
        code: "no-default-export",
        what: "the definition has no default export",
        where: { file },
        mend: "write `export default defineService({ ... })`",
      });
    }
    return value;
  } catch (error) {
    throw error instanceof RouseError ? error : new RouseError(thrownProblem(error, file), { cause: error });
  } finally {
    remove();
  }
}

// --- internal ---

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** The one module that a definition imports from us: the copy that runs now, whether or not the project installed one. */
export const ownConfigModule: string = fileURLToPath(new URL(`../config.${extension}`, import.meta.url));

async function bundleConfig(file: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: "node26",
      packages: "external",
      sourcemap: "inline",
      outdir: moduleFolder(file), // The map's sources are relative to it.
      alias: { "rouse/config": ownConfigModule },
      define: {
        "import.meta.url": JSON.stringify(pathToFileURL(file).href),
        "import.meta.dirname": JSON.stringify(dirname(file)),
        "import.meta.filename": JSON.stringify(file),
      },
      logLevel: "silent",
    });
    return outputFiles[0]!.text;
  } catch (error) {
    throw new RouseError(esbuildProblems(error, dirname(file)), { cause: error });
  }
}

const moduleFolder = (file: string): string => join(dirname(file), "node_modules", ".rouse");

/** Below node_modules, so that the packages which the definition imports are found, and no watcher or git sees it. */
function writeBeside(file: string, code: string): { module: string; remove: () => void } {
  const folder = moduleFolder(file);
  const module = join(folder, `config-${randomBytes(6).toString("hex")}.mjs`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(module, code);
  } catch (error) {
    throw new RouseError(
      {
        code: "folder-not-writable",
        what: `the definition cannot be loaded: ${(error as Error).message}`,
        where: { file },
        mend: `make ${dirname(file)} writable, or write the definition as rouse.config.json`,
      },
      { cause: error },
    );
  }
  return {
    module,
    remove: () => {
      rmSync(module, { force: true });
      for (const made of [folder, dirname(folder)]) {
        try {
          rmdirSync(made);
        } catch {
          return; // Not empty: it was there before, or another build uses it.
        }
      }
    },
  };
}

function thrownProblem(error: unknown, file: string) {
  const missing = /Cannot find package '([^']+)'/.exec(String((error as Error)?.message))?.[1];
  if (missing) {
    return {
      code: "config-import",
      what: `the definition imports "${missing}", which is not installed`,
      where: { file },
      mend: "run `npm install` there",
    };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "config-throws", what: `the definition throws: ${message}`, where: throwPlace(error, file) };
}

/** The first frame that lies in the definition's own files, read through the source map. */
function throwPlace(error: unknown, file: string): Place {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const frame = stack.split("\n").find((line) => line.includes(dirname(file)) && !line.includes("node_modules"));
  const [, path, line, column] = /\(?((?:file:\/\/)?\/[^():]+):(\d+):(\d+)\)?$/.exec(frame ?? "") ?? [];
  if (path === undefined) return { file };
  return { file: path.startsWith("file:") ? fileURLToPath(path) : path, line: Number(line), column: Number(column) };
}
