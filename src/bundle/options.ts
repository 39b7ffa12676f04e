import { join, relative } from "node:path";
import type { BuildFailure, BuildOptions, BuildResult, Message } from "esbuild";
import { ownConfigModule } from "../definition/config-module.ts";
import { esbuildProblems } from "../esbuild-problems.ts";
import { RouseError } from "../problem.ts";
import type { Service } from "../service.ts";
import type { Baked } from "./baked.ts";
import { runsFirst } from "./own-runtime.ts";
import { asyncWrapper, builtinsThroughRequire } from "./top-level-await.ts";

/** What esbuild gives of a program, in either form. */
export type Output = BuildResult<OutputOptions>;

/** Nothing is written; what it is made of is told. */
export type OutputOptions = BuildOptions & { write: false; metafile: true };

/** What a program in an executable and the same one in development have in common. */
export function sharedOptions(service: Service, baked: Baked, prelude: string): OutputOptions {
  return {
    absWorkingDir: service.root,
    outfile: join(service.root, "main.js"), // Not written: the map's sources are relative to it.
    bundle: true,
    platform: "node",
    target: "node26",
    supported: { "dynamic-import": false }, // import() of files does not work inside a single executable; require does.
    sourcemap: "external",
    charset: "utf8",
    legalComments: "none",
    alias: { "rouse/config": ownConfigModule },
    inject: runsFirst(baked),
    banner: { js: prelude },
    logLevel: "silent",
    write: false,
    metafile: true,
  };
}

/** The form of most programs: Node's ESM loader costs 25 ms at every start. */
export function commonJsForm(service: Service, options: OutputOptions): OutputOptions {
  return { ...options, entryPoints: [fromRoot(service)], format: "cjs" };
}

/** The form of a program with a top-level await: the body of an async function. */
export function asyncForm(service: Service, options: OutputOptions): OutputOptions {
  const wrapper = asyncWrapper(options.banner?.js ?? "");
  return {
    ...options,
    // Through a second module, because what an entry exports has no place in a function's body.
    stdin: {
      contents: `import ${JSON.stringify(fromRoot(service))};`,
      resolveDir: service.root,
      sourcefile: "rouse-main.js",
    },
    format: "esm",
    banner: { js: wrapper.banner },
    footer: { js: wrapper.footer },
    plugins: [...(options.plugins ?? []), builtinsThroughRequire],
  };
}

/**
 * The program in the form that it needs.
 * @throws {RouseError} with the place of each syntax error or import that is not there
 */
export async function inNeededForm(
  { root }: Service,
  commonJs: () => Promise<Output>,
  asynchronous: () => Promise<Output>,
): Promise<Output> {
  try {
    return await commonJs().catch((error) => {
      if (needsTopLevelAwait(error)) return asynchronous();
      throw error;
    });
  } catch (error) {
    if (!(error as Partial<BuildFailure>).errors) throw error;
    // A build that fails for its top-level await is tried again without that fault; what else is wrong is told then.
    const problems = esbuildProblems(error, root).filter(({ what }) => !what.startsWith(noTopLevelAwait));
    throw new RouseError(problems, { cause: error });
  }
}

/** The script and its source map (JSON). */
export function textsOf({ outputFiles }: Output): { code: string; map: string } {
  const [map, code] = outputFiles[0]!.path.endsWith(".map") ? outputFiles : [outputFiles[1], outputFiles[0]];
  return { code: code!.text, map: map!.text };
}

export function describeWarning({ text, location }: Message): string {
  return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}

/** The absolute path of what is bundled. */
export function entryOf({ entry }: Service): string {
  if (entry === undefined) throw new Error("a service that is a program of its own has nothing to bundle");
  return entry;
}

// --- internal ---

const noTopLevelAwait = "Top-level await is currently not supported";

/** Relative, because a * in the name of a folder above would be a pattern to esbuild. */
const fromRoot = (service: Service): string => `./${relative(service.root, entryOf(service))}`;

function needsTopLevelAwait(error: unknown): boolean {
  const { errors = [] } = error as Partial<BuildFailure>;
  return errors.length > 0 && errors.every(({ text }) => text.startsWith(noTopLevelAwait));
}
