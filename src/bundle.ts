import { build } from "esbuild";
import { bake } from "./bundle/baked.ts";
import {
  asyncForm,
  commonJsForm,
  describeWarning,
  entryOf,
  inNeededForm,
  type OutputOptions,
  sharedOptions,
  textsOf,
} from "./bundle/options.ts";
import { containsRuntime, ownRuntime } from "./bundle/own-runtime.ts";
import { checkOwnSources } from "./bundle/own-sources.ts";
import { preludeText } from "./bundle/prelude-text.ts";
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
  const options = await executableOptions(service);
  const output = await inNeededForm(
    service,
    () => build(commonJsForm(service, options)),
    () => build(asyncForm(service, options)),
  );
  const { metafile, warnings } = output;
  return {
    ...textsOf(output),
    usesRuntime: containsRuntime(metafile),
    warnings: [...warnings.map(describeWarning), ...checkOwnSources(metafile, service.root, entryOf(service))],
  };
}

// --- internal ---

async function executableOptions(service: Service): Promise<OutputOptions> {
  const baked = bake(service);
  return {
    ...sharedOptions(service, baked, await preludeText("prelude", baked)),
    sourcesContent: false,
    // Nobody reads it there: traces name the sources. Names stay, since programs look at them.
    minifyWhitespace: true,
    plugins: [ownRuntime(baked, { minify: true })],
    define: { "import.meta": "__rouse_prelude.meta" },
  };
}
