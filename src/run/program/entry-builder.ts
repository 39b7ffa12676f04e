import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { entryOf } from "../../bundle/options.ts";
import { configFiles } from "../../bundle/own-sources.ts";
import { needsRuntime } from "../../definition/needs-runtime.ts";
import { programFlags } from "../../executable/blob.ts";
import { writeWhole } from "../../output.ts";
import { RouseError } from "../../problem.ts";
import type { Service } from "../../service.ts";
import { createBundler } from "./bundler.ts";
import { placesToMend } from "./places-to-mend.ts";
import type { BuiltProgram, ProgramBuilder } from "./program.ts";

/**
 * The program of an entry: Node, started with the entry's own name, and with the bundle in its place (start-program.ts).
 * With an inspector there are no workers, because it would be the supervisor that is inspected.
 */
export function createEntryBuilder(service: Service, folder: string, inspect: string | undefined): ProgramBuilder {
  const withoutWorkers = inspect !== undefined && service.workers !== 0;
  const bundler = createBundler(withoutWorkers ? { ...service, workers: 0 } : service);
  const entry = entryOf(service);
  const paths = { start: join(folder, "start.cjs"), bundle: join(folder, "program.js") };
  const maps: string[] = [];
  let failure: RouseError | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function make(): Promise<BuiltProgram> {
    const { code, map, usesRuntime, warnings } = await bundler.bundle();
    const lacking = needsRuntime(service, usesRuntime);
    if (lacking.length > 0) throw new RouseError(lacking);
    if (!existsSync(paths.start)) await writeText(paths.start, await startText(entry, paths.bundle));
    // Each build's map has a name of its own: Node reads it when a process crashes, which may be one of an earlier build.
    const mapPath = join(folder, `program-${Date.now()}-${maps.length}.map`);
    await writeText(mapPath, map);
    await writeText(paths.bundle, `${code}\n//# sourceMappingURL=${pathToFileURL(mapPath).pathname}\n`);
    for (const old of maps.splice(0, maps.length - KEPT_MAPS)) rmSync(old, { force: true });
    maps.push(mapPath);
    return {
      command: [
        process.execPath,
        ...programFlags,
        "--enable-source-maps",
        ...(inspect === undefined ? [] : [inspect]),
        "--require",
        paths.start,
        entry,
      ],
      usesRuntime,
      warnings: withoutWorkers ? [...warnings, `${inspect}: the program serves by itself, without workers`] : warnings,
    };
  }

  return {
    build() {
      // One after the other: esbuild would give two that overlap the same.
      const built = last.then(make).then(
        (program) => {
          failure = undefined;
          return program;
        },
        (error) => {
          failure = error instanceof RouseError ? error : undefined;
          throw error;
        },
      );
      last = built.catch(() => {});
      return built;
    },

    files: () => [
      ...new Set([
        entry,
        ...bundler.files(),
        ...service.readFrom,
        ...configFiles(entry),
        ...(failure ? placesToMend(failure, bundler.files(), service.root) : []),
      ]),
    ],

    async [Symbol.asyncDispose]() {
      await bundler[Symbol.asyncDispose]();
      await last;
    },
  };
}

// --- internal ---

/** Those of processes that may still run: the present one, and what drains. */
const KEPT_MAPS = 4;

async function writeText(path: string, text: string): Promise<void> {
  await writeWhole(path, (temporary) => writeFileSync(temporary, text, { flag: "wx" }));
}

/** start-program.ts for this program. */
async function startText(entry: string, bundle: string): Promise<string> {
  const here = fileURLToPath(import.meta.url);
  const extension = here.endsWith(".ts") ? "ts" : "js";
  const { outputFiles } = await build({
    absWorkingDir: dirname(here),
    entryPoints: [`./start-program.${extension}`],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node26",
    define: { ROUSE_ENTRY: JSON.stringify(entry), ROUSE_BUNDLE: JSON.stringify(bundle) },
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}
