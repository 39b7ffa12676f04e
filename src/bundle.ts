import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildFailure, type BuildOptions, type BuildResult, build } from "esbuild";
import type { Built } from "./activation/built.ts";
import { containsRuntime, ownRuntime } from "./bundle/own-runtime.ts";
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
  /** Warnings of esbuild that a person should read, one line each. */
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
    return toBundle(await bundleCommonJs(service, options));
  } catch (error) {
    if (!(error as Partial<BuildFailure>).errors) throw error;
    throw new RouseError(esbuildProblems(error, service.root), { cause: error });
  }
}

// --- internal ---

type Output = BuildResult<{ write: false; metafile: true }>;

async function bundleCommonJs(service: Service, options: BuildOptions): Promise<Output> {
  try {
    return await build({ ...options, entryPoints: [service.entry], format: "cjs", write: false, metafile: true });
  } catch (error) {
    if (!needsTopLevelAwait(error)) throw error;
    return await bundleTopLevelAwait(service, options);
  }
}

function needsTopLevelAwait(error: unknown): boolean {
  const { errors = [] } = error as Partial<BuildFailure>;
  return errors.length > 0 && errors.every(({ text }) => text.startsWith("Top-level await is currently not supported"));
}

async function bundleTopLevelAwait(service: Service, options: BuildOptions): Promise<Output> {
  const wrapper = asyncWrapper(options.banner?.js ?? "");
  return await build({
    ...options,
    // Through a second module, because what an entry exports has no place in a function's body.
    stdin: {
      contents: `import ${JSON.stringify(service.entry)};`,
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
    alias: { "rouse/config": ownConfigModule },
    plugins: [ownRuntime(builtFacts(service))],
    banner: { js: await prelude() },
    define: {
      "import.meta.url": "__rouse_meta.url",
      "import.meta.filename": "__filename",
      "import.meta.dirname": "__dirname",
      "import.meta.main": "true",
    },
    logLevel: "silent",
  };
}

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What stands for import.meta, which CommonJS does not have. The URL is made when it is asked for. */
const importMeta = 'var __rouse_meta={get url(){return require("node:url").pathToFileURL(__filename).href}};';

/** What runs before the program does, as one line, so that it shifts no line of a printed source. */
async function prelude(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [here(`./bundle/prelude.${extension}`)],
    bundle: true,
    minify: true,
    platform: "node",
    format: "iife",
    target: "node26",
    write: false,
  });
  // The prelude must not come first: its "use strict" would be the whole program's.
  return `${importMeta}${outputFiles[0]!.text.trim()}`;
}

/** What src/activation/built.ts reads. */
function builtFacts({ name, stopTimeout, sockets }: Service): Built {
  return {
    name,
    stopTimeout: stopTimeout * 1000,
    sockets: Object.fromEntries(
      sockets.map((socket) => [socket.name, socket.backlog === undefined ? {} : { backlog: socket.backlog }]),
    ),
  };
}

function toBundle({ outputFiles, metafile, warnings }: Output): Bundle {
  const [map, code] = outputFiles[0]!.path.endsWith(".map") ? outputFiles : [outputFiles[1], outputFiles[0]];
  return {
    code: code!.text,
    map: map!.text,
    usesRuntime: containsRuntime(metafile),
    warnings: warnings.map(({ text, location }) =>
      location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text,
    ),
  };
}
