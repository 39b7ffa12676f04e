/** Runs before the user's program under `rouse run`. Bundled on its own and put in front of the program's text. */
import { createRequire, isBuiltin } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

interface ImportMetaHere {
  readonly main: boolean;
  readonly filename: string;
  readonly dirname: string;
  readonly url: string;
  resolve(specifier: string): string;
}

/** What stands for import.meta, __filename and __dirname in a source file, of which the bundle has many. */
export function here(filename: string): ImportMetaHere {
  const url = pathToFileURL(filename).href;
  return {
    main: filename === __filename,
    filename,
    dirname: dirname(filename),
    url,
    resolve(specifier) {
      if (/^\.{0,2}\/|^[a-z]+:/.test(specifier)) return new URL(specifier, url).href;
      if (isBuiltin(specifier)) return `node:${specifier}`;
      return pathToFileURL(createRequire(filename).resolve(specifier)).href;
    },
  };
}

/** Of what is not in the bundle, by its absolute path. */
export const load = (path: string): unknown => require(path);
