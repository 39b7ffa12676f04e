import { fork } from "node:child_process";
import { basename, dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { esbuildProblems } from "../esbuild-problems.ts";
import { type Place, type Problem, RouseError } from "../problem.ts";
import type { ConfigAnswer, ConfigRequest } from "./config-loader.ts";

export interface ConfigModule {
  /** Its default export. */
  readonly value: unknown;
  /** Absolute paths of the project's files that it is made of, itself among them. */
  readonly files: readonly string[];
}

/**
 * The default export of a rouse.config.ts, which has to be what JSON can say. It is bundled first (packages stay outside), so
 * that enums, extensionless imports and `"type": "commonjs"` projects work, which Node's own type stripping refuses.
 * @param limit milliseconds that it may take to run
 * @throws {RouseError} for a syntax error, an import that is not there, a throw while it runs, no end, or no such export
 */
export async function importConfig(file: string, limit: number = 60_000): Promise<ConfigModule> {
  const { code, files } = await bundleConfig(file);
  const answer = await run({ file, code }, limit);
  if (answer.kind === "exported" && answer.value !== undefined) return { value: answer.value, files };
  throw new RouseError(toProblem(answer, file, limit));
}

// --- internal ---

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** The one module that a definition imports from us: the copy that runs now, whether or not the project installed one. */
export const ownConfigModule: string = fileURLToPath(new URL(`../config.${extension}`, import.meta.url));

async function bundleConfig(file: string): Promise<{ code: string; files: string[] }> {
  const folder = dirname(file);
  try {
    const { outputFiles, metafile } = await build({
      absWorkingDir: folder,
      entryPoints: [`./${basename(file)}`], // Relative, because a * in the folder's own name would be a pattern.
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: "node26",
      packages: "external",
      sourcemap: "inline",
      outdir: folder, // The map's sources are relative to it.
      alias: { "rouse/config": ownConfigModule },
      metafile: true,
      logLevel: "silent",
    });
    const files = Object.keys(metafile.inputs).map((path) => resolve(folder, path));
    return { code: outputFiles[0]!.text, files: files.filter((path) => path !== ownConfigModule) };
  } catch (error) {
    throw new RouseError(esbuildProblems(error, folder), { cause: error });
  }
}

/** What config-loader.ts cannot say itself. */
type Ended =
  | { readonly kind: "ended"; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: "late" };

async function run(request: ConfigRequest, limit: number): Promise<ConfigAnswer | Ended> {
  const loader = fileURLToPath(new URL(`./config-loader.${extension}`, import.meta.url));
  const child = fork(loader, {
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", 2, 2, "ipc"], // Its stdout as well: ours is for what was built.
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => resolve({ kind: "late" }), limit);
      child.once("message", (message) => resolve(message as ConfigAnswer));
      child.once("exit", (code, signal) => resolve({ kind: "ended", code, signal }));
      child.once("error", reject);
      child.send(request);
    });
  } finally {
    clearTimeout(timer);
    process.off("exit", kill);
    kill();
  }
}

function toProblem(answer: ConfigAnswer | Ended, file: string, limit: number): Problem {
  switch (answer.kind) {
    case "exported":
      return {
        code: "no-default-export",
        what: "the definition has no default export",
        where: { file },
        mend: "write `export default defineService({ ... })`",
      };
    case "not-json":
      return {
        code: "not-json-value",
        what: `${answer.key === "" ? "the definition" : `"${answer.key}"`} is ${answer.is}`,
        where: answer.key === "" ? { file } : { file, key: answer.key },
        mend: "a definition is made of what JSON has: objects, lists, strings, numbers, true, false and null",
      };
    case "thrown":
      return thrownProblem(answer.text, answer.stack, file);
    case "waits":
      return {
        code: "config-waits",
        what: "the definition waits for something that never comes",
        where: { file },
        mend: "look for an await whose promise nobody resolves",
      };
    case "late":
      return {
        code: "config-waits",
        what: `the definition was not done within ${limit / 1000} seconds`,
        where: { file },
        mend: "look for what it waits for, or a loop without an end",
      };
    case "ended":
      return {
        code: "config-exits",
        what: `the definition ends its own process (${answer.signal ?? `exit code ${answer.code}`})`,
        where: { file },
        mend: "do not end the process in it; throw an error if something is wrong",
      };
  }
}

function thrownProblem(text: string, stack: string, file: string): Problem {
  const missing = /Cannot find package '([^']+)'/.exec(text)?.[1];
  if (missing) {
    return {
      code: "config-import",
      what: `the definition imports "${missing}", which is not installed`,
      where: { file },
      mend: "run `npm install` there",
    };
  }
  return { code: "config-throws", what: `the definition throws: ${text}`, where: throwPlace(stack, file) };
}

/** The first frame that lies in the definition's own files, read through the source map. */
function throwPlace(stack: string, file: string): Place {
  const isOwn = (place: Place & { file: string }): boolean => {
    const within = relative(dirname(file), place.file);
    return !/^\.\.(\/|$)|(^|\/)node_modules\//.test(within);
  };
  return stack.split("\n").flatMap(framePlace).find(isOwn) ?? { file };
}

function framePlace(line: string): (Place & { file: string })[] {
  const [, path, row, column] = /^ +at .*?((?:file:\/\/)?\/.*):(\d+):(\d+)\)?$/.exec(line) ?? [];
  if (path === undefined) return [];
  return [{ file: path.startsWith("file:") ? fileURLToPath(path) : path, line: Number(row), column: Number(column) }];
}
