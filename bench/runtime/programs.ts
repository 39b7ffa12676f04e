import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { buildGo } from "../common/go.ts";
import { tell } from "../common/tell.ts";

/** A program and its first arguments. */
export type Command = readonly string[];

export interface Programs {
  /** servers/plain.ts as one script, by the pinned Node. */
  readonly plain: Command;
  /** servers/rouse.ts as one script, by the same Node: what the npm package is, bundled by its user. */
  readonly bundled: Command;
  /** What `rouse build` makes of servers/rouse.ts, for a definition with so many sockets, or with two workers. */
  readonly built: { readonly one: Command; readonly three: Command; readonly workers: Command };
  /** servers/pair.ts as one script. */
  readonly pair: Command;
  /** servers/cluster.ts as one script. */
  readonly cluster: Command;
  /** servers/server.go. Undefined where there is no Go. */
  readonly go: Command | undefined;
  /** The library that stands in for launchd on Linux. Undefined where it cannot be compiled. */
  readonly launchd: string | undefined;
  /** Takes an order and gives a result as load.ts says. */
  readonly loadClient: Command;
}

export const threeNames = ["hello", "admin", "stats"] as const;

/** Builds everything that is measured into a folder. What cannot be had here is told. */
export async function buildPrograms(folder: string): Promise<Programs> {
  const [one, three, workers, cluster, pair, plain, bundled, go, goClient, launchd] = await Promise.all([
    buildWithRouse(join(folder, "one"), ["hello"]),
    buildWithRouse(join(folder, "three"), threeNames),
    buildWithRouse(join(folder, "workers"), ["hello"], { workers: 2 }),
    bundle("servers/cluster.ts", folder),
    bundle("servers/pair.ts", folder),
    bundle("servers/plain.ts", folder),
    bundle("servers/rouse.ts", folder),
    attemptGo("servers/server.go", folder, "no row for Go"),
    attemptGo("load/client.go", folder, "the load comes from a client in Node, which costs more"),
    attempt("no rows for launchd", () => compileLaunchd(join(folder, "launchd-stand-in.so"))),
  ]);
  return {
    plain,
    bundled,
    built: { one, three, workers },
    cluster,
    pair,
    go,
    launchd,
    loadClient: goClient ?? [process.execPath, here("load/client.ts")],
  };
}

// --- internal ---

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const here = (file: string): string => join(import.meta.dirname, file);

/** In a project of its own: what it serves is in the definition. */
async function buildWithRouse(folder: string, names: readonly string[], more: object = {}): Promise<Command> {
  mkdirSync(folder);
  const sources = here("servers");
  for (const file of readdirSync(sources)) copyFileSync(join(sources, file), join(folder, file));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "bench", version: "1.0.0", type: "module" }));
  const sockets = Object.fromEntries(names.map((name, index) => [name, `127.0.0.1:${8000 + index}`]));
  const definition = { entry: "rouse.ts", sockets, packages: [], ...more };
  writeFileSync(join(folder, "rouse.config.json"), JSON.stringify(definition));
  const { stdout } = await run(join(root, "bin/rouse"), ["build", folder, "--json"]);
  const { artifacts } = JSON.parse(stdout) as { artifacts: { kind: string; path: string }[] };
  return [artifacts.find(({ kind }) => kind === "executable")!.path];
}

/** CommonJS, as in a built executable: Node's ESM loader costs more than all that is measured here. */
async function bundle(source: string, folder: string): Promise<Command> {
  const outfile = join(folder, `${source.replaceAll("/", "-")}.cjs`);
  const alias = { rouse: join(root, "src/index.ts") };
  await build({ entryPoints: [here(source)], outfile, alias, bundle: true, platform: "node", target: "node26" });
  return [process.execPath, outfile];
}

async function attemptGo(source: string, folder: string, otherwise: string): Promise<Command | undefined> {
  const program = join(folder, `${source.replaceAll("/", "-")}.program`);
  return await attempt(otherwise, async () => [await buildGo(here(source), program)]);
}

async function compileLaunchd(library: string): Promise<string> {
  const source = join(root, "test/fixtures/launchd-stand-in.c");
  await run("cc", ["-O2", "-shared", "-fPIC", "-o", library, source]);
  return library;
}

/** What cannot be had here is told. */
async function attempt<T>(otherwise: string, make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    tell(`${otherwise}: ${(error as Error).message}`);
    return undefined;
  }
}
