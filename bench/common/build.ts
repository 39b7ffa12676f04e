/** Programs to be measured, or to measure with, made from the sources beside them. */
import { join } from "node:path";
import { build } from "esbuild";
import { buildGo } from "./go.ts";
import { tell } from "./tell.ts";

/** A program and its first arguments. */
export type Command = readonly string[];

/**
 * Bundles a script to be started by this Node. CommonJS, as in a built executable: Node's ESM loader costs more than all that is
 * measured here.
 * @param external modules that stay what they are
 */
export async function bundle(source: string, outfile: string, external: readonly string[] = []): Promise<Command> {
  const alias = { rouse: join(root, "src/index.ts") };
  await build({
    entryPoints: [source],
    outfile,
    alias,
    external: [...external],
    bundle: true,
    platform: "node",
    target: "node26",
  });
  return [process.execPath, outfile];
}

/** The load client, which takes an order and gives a result as load/load.ts says: in Go, or in Node where there is no Go. */
export async function buildLoadClient(folder: string): Promise<Command> {
  const source = join(import.meta.dirname, "load/client.go");
  const otherwise = "the load comes from a client in Node, which costs more";
  const go = await attempt(otherwise, () => buildGo(source, join(folder, "load-client")));
  return go === undefined ? [process.execPath, join(import.meta.dirname, "load/client.ts")] : [go];
}

/** What cannot be had here is told. */
export async function attempt<T>(otherwise: string, make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    tell(`${otherwise}: ${(error as Error).message}`);
    return undefined;
  }
}

// --- internal ---

const root = join(import.meta.dirname, "../..");
