import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { withLock } from "./lock.ts";
import { ownerOf } from "./owner.ts";
import { step } from "./step.ts";

export interface Variant {
  /** Instead of the version in the example's package.json. */
  readonly version?: string;
  /** Texts to replace in the example's files, so that a test can tell two variants apart: file -> [old, new]. */
  readonly replace?: Readonly<Record<string, readonly [string, string]>>;
}

export interface Artifact {
  readonly kind: string;
  readonly target: string | null;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What `rouse build --json` made. */
export interface Built {
  readonly artifacts: readonly Artifact[];
  /** The path of the only artifact of this kind. */
  path(kind: string): string;
}

const repository = join(import.meta.dirname, "../..");

/**
 * Builds a copy of examples/NAME by `rouse build`; each variant once per test run, also when several test files ask for it.
 * @throws {CommandError} with the output of rouse
 */
export async function buildExample(name: string, variant: Variant = {}): Promise<Built> {
  return await buildFolder("examples", name, variant);
}

/** The same of test/system/programs/NAME: services that misbehave as a test needs it. */
export async function buildProgram(name: string, variant: Variant = {}): Promise<Built> {
  return await buildFolder("test/system/programs", name, variant);
}

// --- internal ---

async function buildFolder(parent: string, name: string, variant: Variant): Promise<Built> {
  const run = await runFolder();
  const folder = join(run, `${name}-${digest(JSON.stringify(variant))}`);
  const document = join(folder, "artifacts.json");
  await withLock(`${run}/lock`, async () => {
    if (!existsSync(document)) await build(parent, name, variant, folder, document);
  });
  const { artifacts } = JSON.parse(await readFile(document, "utf8")) as { artifacts: Artifact[] };
  return {
    artifacts,
    path(kind) {
      const found = artifacts.filter((artifact) => artifact.kind === kind);
      if (found.length !== 1) throw new Error(`${name} has ${found.length} artifacts of the kind ${kind}, not one`);
      return found[0]!.path;
    },
  };
}

async function build(parent: string, name: string, variant: Variant, folder: string, document: string): Promise<void> {
  const shown = Object.keys(variant).length === 0 ? "" : JSON.stringify(variant);
  step(`rouse build ${parent}/${name} ${shown.length > 120 ? `${shown.slice(0, 120)}...` : shown}`);
  const source = join(folder, name);
  await rm(folder, { recursive: true, force: true });
  await cp(join(repository, parent, name), source, {
    recursive: true,
    filter: (path) => !/\/(out|node_modules)$/.test(path),
  });
  await applyVariant(source, variant);
  const rouse = [join(repository, "bin/rouse"), "build", source, "--out", join(folder, "out"), "--json"];
  const { stdout } = await runCommand(rouse, { timeout: 5 * 60_000 });
  await writeFile(`${document}.partial`, stdout);
  await rename(`${document}.partial`, document);
}

async function applyVariant(source: string, { version, replace = {} }: Variant): Promise<void> {
  if (version !== undefined) {
    const manifest = join(source, "package.json");
    const content = JSON.parse(await readFile(manifest, "utf8")) as object;
    await writeFile(manifest, JSON.stringify({ ...content, version }, null, 2));
  }
  for (const [file, [from, to]] of Object.entries(replace)) {
    const content = await readFile(join(source, file), "utf8");
    if (!content.includes(from)) throw new Error(`${file} does not contain ${JSON.stringify(from)}`);
    await writeFile(join(source, file), content.replaceAll(from, to));
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** Shared by the test files of one `node --test`, which are its children; goes with it. */
async function runFolder(): Promise<string> {
  const run = process.env.NODE_TEST_CONTEXT === undefined ? process.pid : process.ppid;
  const folder = join(tmpdir(), `rouse-examples-${ownerOf(run)}`);
  // Only the first to come makes it.
  if ((await mkdir(folder, { recursive: true })) !== undefined) removeAfter(run, folder);
  return folder;
}

/** By a process of its own, since no test file knows that it is the last, and since runs get killed. */
function removeAfter(run: number, folder: string): void {
  const script = 'tail --pid="$1" -f /dev/null; rm -rf "$2"';
  spawn("sh", ["-c", script, "sh", run.toString(), folder], { detached: true, stdio: "ignore" }).unref();
}
