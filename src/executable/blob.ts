import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bundle } from "../bundle.ts";
import { withTemporaryFolder } from "../output.ts";

/**
 * The single-executable blob of a bundle, made by the Node that runs now: it must be of the base's version.
 * The code cache holds machine-independent bytecode of the program as V8 compiled it, but V8 takes it only on the
 * platform and with the flags that it was made with.
 */
export async function makeBlob(bundle: Bundle, codeCache: boolean): Promise<Buffer> {
  return await withTemporaryFolder(async (folder) => {
    // Names relative to the folder: they end up in the blob, and must not change from build to build.
    writeFileSync(join(folder, "main.js"), bundle.code);
    writeFileSync(join(folder, "main.js.map"), bundle.map);
    writeFileSync(join(folder, "sea.json"), JSON.stringify(seaConfig(codeCache)));
    const flags = [...reproducible, ...v8Flags, "--experimental-sea-config", "sea.json"];
    await promisify(execFile)(process.execPath, flags, { cwd: folder });
    return readFileSync(join(folder, "main.blob"));
  });
}

/**
 * Room for what a server allocates until its first answer: with V8's own megabyte a collection of 1 to 6 ms falls just
 * before it (measured with a top-level await). It is part of the code cache's key, so the builder runs with it too.
 */
const v8Flags = ["--min-semi-space-size=2"];

/** The options that a program's Node runs with. node:ffi, by which the runtime speaks to systemd, would print a warning at every start. */
export const programFlags: readonly string[] = ["--disable-warning=ExperimentalWarning", ...v8Flags];

// --- internal ---

/** Without a seed every code cache has other hashes in it. A fixed --hash-seed would do too, but V8 then refuses the cache. */
const reproducible = ["--random-seed=1"];

/** Node ignores unknown keys in silence: these are the ones that Node 26 documents (doc/api/single-executable-applications.md). */
function seaConfig(useCodeCache: boolean) {
  return {
    main: "main.js",
    output: "main.blob",
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache,
    execArgv: programFlags,
    // NODE_OPTIONS has no say in a service, and --inspect or --version belong to the program.
    execArgvExtension: "none",
    assets: { "main.js.map": "main.js.map" },
  };
}
