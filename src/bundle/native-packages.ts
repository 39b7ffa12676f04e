import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The name of the package that a file under node_modules belongs to, if it has a native addon. Such a package finds its
 * machine code by where its own files lie, in ways that no bundler follows.
 */
export function nativePackageOf(path: string): string | undefined {
  const [, folder, name] = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path) ?? [];
  return folder !== undefined && isNative(folder) ? name : undefined;
}

// --- internal ---

/** By the package's folder, for as long as its package.json stays as it was. */
const known = new Map<string, { readonly changed: number; readonly native: boolean }>();

function isNative(folder: string): boolean {
  const manifest = join(folder, "package.json");
  const changed = statSync(manifest, { throwIfNoEntry: false })?.mtimeMs;
  if (changed === undefined) return false;
  const before = known.get(folder);
  if (before?.changed === changed) return before.native;
  const native = existsSync(join(folder, "binding.gyp")) || saysNative(readFileSync(manifest, "utf8"));
  known.set(folder, { changed, native });
  return native;
}

/** How packages find or fetch their addon: the usual helpers, and napi-rs, which leaves a key of its own. */
const helpers = [
  "bindings",
  "node-gyp-build",
  "node-addon-api",
  "prebuild-install",
  "node-pre-gyp",
  "@mapbox/node-pre-gyp",
];

function saysNative(text: string): boolean {
  try {
    const { gypfile, napi, dependencies = {} } = JSON.parse(text);
    return gypfile === true || napi !== undefined || helpers.some((name) => name in dependencies);
  } catch {
    return false; // esbuild tells what is wrong with it.
  }
}
