import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildGo } from "../common/go.ts";

/** A server that can be started with its socket as descriptor 3. */
export interface Server {
  readonly id: "rouse" | "cjs" | "mjs" | "sea" | "sea-cache" | "go";
  readonly name: string;
  readonly command: readonly string[];
}

/** One that cannot be had here. */
export interface MissingServer {
  readonly name: string;
  readonly reason: string;
}

export const root: string = join(import.meta.dirname, "../..");
export const sources: string = join(import.meta.dirname, "servers");
/** The service that `rouse build` builds for the comparison. */
export const definition: string = join(root, "examples/hello");

/** Builds all servers into a folder; all answer the same bytes of body. */
export async function buildServers(folder: string): Promise<(Server | MissingServer)[]> {
  // A copy, so that the page cache can forget it: it holds on to what is running.
  const node = join(folder, "node");
  copyFileSync(process.execPath, node);
  return [
    await attempt("rouse build", "rouse", () => buildWithRouse(folder)),
    { id: "cjs", name: "node server.cjs", command: [node, join(sources, "server.cjs")] },
    { id: "mjs", name: "node server.mjs", command: [node, join(sources, "server.mjs")] },
    await attempt("node --build-sea", "sea", () => buildSea(folder, "sea", {})),
    await attempt("node --build-sea, code cache", "sea-cache", () =>
      buildSea(folder, "sea-cache", { useCodeCache: true }),
    ),
    await attempt("Go, go-systemd", "go", async () => [
      await buildGo(join(sources, "server.go"), join(folder, "go-server")),
    ]),
  ];
}

// --- internal ---

const run = promisify(execFile);

async function attempt(
  name: string,
  id: Server["id"],
  build: () => Promise<readonly string[]>,
): Promise<Server | MissingServer> {
  try {
    return { id, name, command: await build() };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { name, reason: stderr?.trim() || message };
  }
}

async function buildWithRouse(folder: string): Promise<string[]> {
  const { stdout } = await run(join(root, "bin/rouse"), ["build", definition, "--out", folder, "--json"]);
  const { artifacts } = JSON.parse(stdout) as { artifacts: { kind: string; path: string }[] };
  return [artifacts.find(({ kind }) => kind === "executable")!.path];
}

/** With Node's own injector and its own settings, but for the warning, which would cost a write at every start. */
async function buildSea(folder: string, name: string, settings: object): Promise<string[]> {
  const cwd = join(folder, name);
  mkdirSync(cwd, { recursive: true });
  copyFileSync(join(sources, "server.cjs"), join(cwd, "server.cjs"));
  const config = { main: "server.cjs", output: name, disableExperimentalSEAWarning: true, ...settings };
  writeFileSync(join(cwd, "sea.json"), JSON.stringify(config));
  await run(process.execPath, ["--build-sea", "sea.json"], { cwd });
  return [join(cwd, name)];
}
