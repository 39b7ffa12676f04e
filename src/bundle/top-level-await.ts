import { isBuiltin } from "node:module";
import type { Plugin } from "esbuild";

/**
 * What turns esbuild's ESM output into one CommonJS script: its text between these two. The program's own errors are
 * thrown outside of the promise, so that they end the process as an uncaught exception does.
 */
export function asyncWrapper(prelude: string): { banner: string; footer: string } {
  return {
    banner: `${prelude}(async()=>{"use strict";`,
    footer: "})().catch((error)=>process.nextTick(()=>{throw error}));",
  };
}

/** An import statement cannot stand in a function, so Node's own modules come through require. */
export const builtinsThroughRequire: Plugin = {
  name: "builtins-through-require",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, namespace }) => {
      if (!isBuiltin(path)) return undefined;
      return namespace === "builtin" ? { path, external: true } : { path, namespace: "builtin" };
    });
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};
