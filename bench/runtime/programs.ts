import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { attempt, buildLoadClient, bundle, type Command } from "../common/build.ts";
import { buildGo } from "../common/go.ts";

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
  /** Takes an order and gives a result as ../common/load/load.ts says. */
  readonly loadClient: Command;
}

export const threeNames = ["hello", "admin", "stats"] as const;

/** Builds everything that is measured into a folder. What cannot be had here is told. */
export async function buildPrograms(folder: string): Promise<Programs> {
  const [one, three, workers, cluster, pair, plain, bundled, go, loadClient, launchd] = await Promise.all([
    buildWithRouse(join(folder, "one"), ["hello"]),
    buildWithRouse(join(folder, "three"), threeNames),
    buildWithRouse(join(folder, "workers"), ["hello"], { workers: 2 }),
    bundle(here("servers/cluster.ts"), join(folder, "cluster.cjs")),
    bundle(here("servers/pair.ts"), join(folder, "pair.cjs")),
    bundle(here("servers/plain.ts"), join(folder, "plain.cjs")),
    bundle(here("servers/rouse.ts"), join(folder, "rouse.cjs")),
    attempt("no row for Go", async () => [await buildGo(here("servers/server.go"), join(folder, "go-server"))]),
    buildLoadClient(folder),
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
    loadClient,
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

async function compileLaunchd(library: string): Promise<string> {
  const source = join(root, "test/fixtures/launchd-stand-in.c");
  await run("cc", ["-O2", "-shared", "-fPIC", "-o", library, source]);
  return library;
}
