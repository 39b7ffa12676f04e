/** What the runtime adds to a program, in bytes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { bundleService } from "../../src/bundle.ts";
import { readService } from "../../src/definition.ts";
import type { Figures } from "../common/figures.ts";

/** Each beside a program that is the same without the runtime. */
export async function measureSize(folder: string): Promise<Figures> {
  const rows: string[][] = [];
  const missed: string[] = [];
  for (const [index, { name, source }] of programs.entries()) {
    const [minified, built] = [await minify(source), await bundle(join(folder, `size-${index}`), source)];
    const [nothing, builtNothing] = [await minify(empty), await bundle(join(folder, `size-${index}-0`), empty)];
    const added = (of: (text: string) => number): string[] => [
      kilobytes(of(minified) - of(nothing)),
      kilobytes(of(built) - of(builtNothing)),
    ];
    const [plain, zipped] = [added((text) => Buffer.byteLength(text)), added((text) => gzipSync(text).length)];
    if (Buffer.byteLength(minified) - Buffer.byteLength(nothing) >= most) missed.push(name);
    rows.push([name, plain[0]!, zipped[0]!, plain[1]!, zipped[1]!]);
  }
  return {
    title: "What the runtime adds to a program, kB of 1000 bytes",
    head: ["", "minified", "minified, gzip", "in `rouse build`", "gzip"],
    rows,
    notes: [
      `Aim: less than ${kilobytes(most)} kB, minified: ${missed.length ? `missed by ${missed.join(", ")}` : "met"}.`,
    ],
  };
}

// --- internal ---

const root = join(import.meta.dirname, "../..");
/** Bytes. */
const most = 30_000;
const empty = "console.log(0);\n";
const programs = [
  { name: 'import { activate } from "rouse"', source: 'import { activate } from "rouse";\nconsole.log(activate);\n' },
  { name: 'import "rouse/adopt"', source: 'import "rouse/adopt";\nconsole.log(0);\n' },
  { name: "everything that rouse exports", source: 'import * as rouse from "rouse";\nconsole.log(rouse);\n' },
];

/** By a bundler of the user's own that minifies all. */
async function minify(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: root },
    alias: { "rouse/adopt": join(root, "src/adopt.ts"), rouse: join(root, "src/index.ts") },
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    write: false,
  });
  return outputFiles[0]!.text;
}

async function bundle(folder: string, source: string): Promise<string> {
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "bench", version: "1.0.0", type: "module" }));
  writeFileSync(join(folder, "rouse.config.json"), JSON.stringify({ entry: "main.js", sockets: { hello: 8000 } }));
  writeFileSync(join(folder, "main.js"), source);
  return (await bundleService(await readService(folder))).code;
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}
