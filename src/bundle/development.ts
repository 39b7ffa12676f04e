import { pathToFileURL } from "node:url";
import type { Service } from "../service.ts";
import type { Baked } from "./baked.ts";
import { type OutputOptions, sharedOptions } from "./options.ts";
import { ownRuntime } from "./own-runtime.ts";
import { preludeText } from "./prelude-text.ts";
import { type SeenSources, sourcesInPlace } from "./sources-in-place.ts";

/**
 * The program as `rouse run` starts it: the same as in an executable, but each of its files finds what lies beside it, as if
 * Node ran the sources, and traces are read by Node, with the line of the source.
 */
export async function developmentOptions(service: Service, baked: Baked, seen: SeenSources): Promise<OutputOptions> {
  return {
    ...sharedOptions(service, baked, await preludeText("development-prelude", baked)),
    sourceRoot: pathToFileURL(`${service.root}/`).href,
    sourcesContent: true, // A process may crash after its source was changed.
    plugins: [ownRuntime(baked, { minify: false }), sourcesInPlace(seen)],
    define: {
      "import.meta": "__rouse_here",
      __filename: "__rouse_here.filename",
      __dirname: "__rouse_here.dirname",
    },
  };
}
