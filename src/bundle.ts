import { join, relative } from "node:path";
import { type BuildFailure, type BuildOptions, type BuildResult, build, type Message } from "esbuild";
import { bake } from "./bundle/baked.ts";
import { containsRuntime, ownRuntime, runsFirst } from "./bundle/own-runtime.ts";
import { checkOwnSources } from "./bundle/own-sources.ts";
import { preludeText } from "./bundle/prelude-text.ts";
import { asyncWrapper, builtinsThroughRequire } from "./bundle/top-level-await.ts";
import { ownConfigModule } from "./definition/config-module.ts";
import { esbuildProblems } from "./esbuild-problems.ts";
import { RouseError } from "./problem.ts";
import type { Service } from "./service.ts";

/** One CommonJS script that is the whole program, with its source map. */
export interface Bundle {
  /** CommonJS source text. Starts with the prelude of bundle/prelude.ts. */
  readonly code: string;
  /** Source map (JSON) without sources' contents; its sources are relative to the service's root. */
  readonly map: string;
  /** The program imports `rouse`, so it tells systemd when it is ready. */
  readonly usesRuntime: boolean;
  /** What a person should read about the program, one line each. */
  readonly warnings: readonly string[];
}

/**
 * Bundles the service's entry with everything that it imports, by esbuild. CommonJS, because Node's ESM loader costs
 * 25 ms at every start; a program with a top-level await becomes the body of an async function instead.
 * @throws {RouseError} with the place of each syntax error or import that is not there
 */
export async function bundleService(service: Service): Promise<Bundle> {
  const options = await commonOptions(service);
  try {
    return toBundle(await bundleCommonJs(service, options), service);
  } catch (error) {
    if (!(error as Partial<BuildFailure>).errors) throw error;
    // A build that fails for its top-level await is tried again without that fault; what else is wrong is told then.
    const problems = esbuildProblems(error, service.root).filter(({ what }) => !what.startsWith(noTopLevelAwait));
    throw new RouseError(problems, { cause: error });
  }
}

/** The absolute path of what is bundled. */
export function entryOf({ entry }: Service): string {
  if (entry === undefined) throw new Error("a service that is a program of its own has nothing to bundle");
  return entry;
}

// --- internal ---

const noTopLevelAwait = "Top-level await is currently not supported";

type Output = BuildResult<{ write: false; metafile: true }>;

async function bundleCommonJs(service: Service, options: BuildOptions): Promise<Output> {
  try {
    return await build({ ...options, entryPoints: [fromRoot(service)], format: "cjs", write: false, metafile: true });
  } catch (error) {
    if (!needsTopLevelAwait(error)) throw error;
    return await bundleTopLevelAwait(service, options);
  }
}

/** Relative, because a * in the name of a folder above would be a pattern to esbuild. */
const fromRoot = (service: Service): string => `./${relative(service.root, entryOf(service))}`;

function needsTopLevelAwait(error: unknown): boolean {
  const { errors = [] } = error as Partial<BuildFailure>;
  return errors.length > 0 && errors.every(({ text }) => text.startsWith(noTopLevelAwait));
}

async function bundleTopLevelAwait(service: Service, options: BuildOptions): Promise<Output> {
  const wrapper = asyncWrapper(options.banner?.js ?? "");
  return await build({
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
    write: false,
    metafile: true,
  });
}

async function commonOptions(service: Service): Promise<BuildOptions> {
  const baked = bake(service);
  return {
    absWorkingDir: service.root,
    outfile: join(service.root, "main.js"), // Not written: the map's sources are relative to it.
    bundle: true,
    platform: "node",
    target: "node26",
    supported: { "dynamic-import": false }, // import() of files does not work inside a single executable; require does.
    sourcemap: "external",
    sourcesContent: false,
    charset: "utf8",
    legalComments: "none",
    // Nobody reads it there: traces name the sources. Names stay, since programs look at them.
    minifyWhitespace: true,
    alias: { "rouse/config": ownConfigModule },
    inject: runsFirst(baked),
    plugins: [ownRuntime(baked)],
    banner: { js: await preludeText(baked) },
    define: {
      "import.meta": "__rouse_prelude.meta",
    },
    logLevel: "silent",
  };
}

function toBundle({ outputFiles, metafile, warnings }: Output, service: Service): Bundle {
  const [map, code] = outputFiles[0]!.path.endsWith(".map") ? outputFiles : [outputFiles[1], outputFiles[0]];
  return {
    code: code!.text,
    map: map!.text,
    usesRuntime: containsRuntime(metafile),
    warnings: [...warnings.map(describe), ...checkOwnSources(metafile, service.root, entryOf(service))],
  };
}

function describe({ text, location }: Message): string {
  return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}
