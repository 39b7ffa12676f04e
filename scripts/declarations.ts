/**
 * The public types of an entry as one text: what tsc declares, without what the entry does not reach. For the package
 * rouse-activation, and for the snapshot of the API (test/golden/api.d.ts).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type DeclarationFile, isUsedIn, readDeclarations } from "./declaration-file.ts";

const root = join(import.meta.dirname, "..");

/** A folder of what tsc declares, laid out as the sources are. */
export interface Declarations extends Disposable {
  /**
   * All that `entry` (for example "src/index.ts") exports, in its order, then what those need, each once.
   * @throws {Error} where two different things would have one name
   */
  rolledUp(entry: string): string;
}

export function emitDeclarations(): Declarations {
  const folder = mkdtempSync(join(tmpdir(), "rouse-declarations-"));
  const tsc = ["-p", join(root, "tsconfig.build.json"), "--emitDeclarationOnly", "--outDir", folder];
  execFileSync(join(root, "node_modules/.bin/tsc"), tsc, { stdio: ["ignore", "inherit", "inherit"] });
  return {
    rolledUp: (entry) => rollUp(join(folder, entry)),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

// --- internal ---

interface Place {
  readonly path: string;
  readonly name: string;
}

function rollUp(entry: string): string {
  const files = new Map<string, DeclarationFile>();
  const fromNode = new Map<string, Set<string>>();
  const texts = new Map<string, { readonly path: string; readonly text: string }>();
  const exported = publicNames(entry);
  const waiting = [...exported.values()];

  for (let place = waiting.shift(); place; place = waiting.shift()) {
    const { path, name } = place;
    const there = texts.get(name);
    if (there && there.path !== path) throw new Error(`two declarations are named ${name}: ${there.path}, ${path}`);
    if (there) continue;
    const text = file(path).declarations.get(name)!;
    texts.set(name, { path, text });
    waiting.push(...neededBy(path, name, text));
  }

  const imports = [...fromNode]
    .sort()
    .map(([from, names]) => `import type { ${[...names].sort().join(", ")} } from "${from}";`);
  const underOwnName = (name: string): boolean => exported.get(name)?.name === name;
  const shown = [...texts].map(([name, { text }]) => (underOwnName(name) ? withExport(text) : text));
  const renamed = [...exported].filter(([name, place]) => place.name !== name);
  const last = `export { ${renamed.map(([name, place]) => `${place.name} as ${name}`).join(", ")} };`;
  return [imports.join("\n"), ...shown, last.replace("{  }", "{}")]
    .filter((text) => text !== "")
    .join("\n\n")
    .concat("\n");

  function file(path: string): DeclarationFile {
    const known = files.get(path) ?? readDeclarations(readFileSync(path.replace(/(\.d)?\.ts$/, ".d.ts"), "utf8"));
    files.set(path, known);
    return known;
  }

  function publicNames(path: string): Map<string, Place> {
    const own = file(path).exports.map((name) => [name, { path, name }] as const);
    const passedOn = file(path).reexports.map(
      ({ name, original, from }) => [name, origin(resolve(dirname(path), from), original)] as const,
    );
    return new Map([...own, ...passedOn]);
  }

  /** Where a name is declared: a file may pass on what another one declares. */
  function origin(path: string, name: string): Place {
    const { declarations, reexports } = file(path);
    if (declarations.has(name)) return { path, name };
    const further = reexports.find((other) => other.name === name);
    if (!further) throw new Error(`${path} declares no ${name}`);
    return origin(resolve(dirname(path), further.from), further.original);
  }

  function neededBy(path: string, own: string, text: string): Place[] {
    const { declarations, imports } = file(path);
    const beside = [...declarations.keys()].filter((name) => name !== own && isUsedIn(text, name));
    const needed = beside.map((name) => ({ path, name }));
    for (const { name, original, from } of imports.filter(({ name }) => isUsedIn(text, name))) {
      if (from.startsWith(".")) {
        if (name !== original) throw new Error(`${path} renames ${original}, which the rolled-up text cannot`);
        needed.push(origin(resolve(dirname(path), from), name));
      } else {
        const specifier = name === original ? name : `${original} as ${name}`;
        fromNode.set(from, (fromNode.get(from) ?? new Set()).add(specifier));
      }
    }
    return needed;
  }
}

function withExport(text: string): string {
  return text.replaceAll(/^(?=(declare|interface|type)\b)/gm, "export ");
}
