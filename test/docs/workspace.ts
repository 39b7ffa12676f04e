/** A folder as a user's project would be, with every example as a file of its own, and everything that they import. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../helpers/rouse.ts";
import type { Example } from "./examples.ts";

export interface Workspace extends Disposable {
  readonly folder: string;
  /** Where an example stands: its name tells the document, and its lines have the numbers that they have there. */
  fileOf(example: Example): string;
}

export function makeWorkspace(examples: readonly Example[]): Workspace {
  const folder = mkdtempSync(join(tmpdir(), "rouse-docs-"));
  const write = (name: string, content: unknown): void =>
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  installPackages(folder);
  cpSync(join(import.meta.dirname, "ambient.ts"), join(folder, "ambient.ts"));
  write("package.json", { name: "docs", version: "1.0.0", type: "module" });
  write("tsconfig.json", { compilerOptions, include: ["."] });
  const nameOf = ({ document, line, extension }: Example): string =>
    `${document.replaceAll("/", "_")}.${line}.${extension}`;
  for (const example of examples) write(nameOf(example), "\n".repeat(example.line - 2) + whole(example));
  return {
    folder,
    fileOf: (example) => join(folder, nameOf(example)),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

// --- internal ---

const compilerOptions = {
  module: "nodenext",
  target: "esnext",
  strict: true,
  noEmit: true,
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")],
  moduleDetection: "force",
  allowImportingTsExtensions: true,
  allowJs: true,
  checkJs: true,
  skipLibCheck: true,
};

/** Keys of a definition that are shown alone get their definition, on the line above. */
function whole({ code, how, line }: Example): string {
  const first = line === 1 ? "" : "\n";
  if (!how?.startsWith("definition") || /^(import|export)\b/m.test(code)) return `${first}${code}\n`;
  const entry = /^exec:/m.test(code) ? "" : ' entry: "src/server.ts",';
  const start = `import { defineService } from "rouse/config"; export default defineService({${entry}`;
  return `${start}${first}${code}\n});\n`;
}

/** Ours are the sources themselves, so that nothing has to be built. Node and tsc both follow links to where a file is. */
function installPackages(folder: string): void {
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  const [index, adopt, config] = ["./root/src/index.ts", "./root/src/adopt.ts", "./root/src/config.ts"];
  const own = {
    rouse: { ".": index, "./adopt": adopt, "./config": config },
    "rouse-activation": { ".": index, "./adopt": adopt },
  };
  for (const [name, exports] of Object.entries(own)) {
    mkdirSync(join(modules, name));
    symlinkSync(root, join(modules, name, "root"));
    writeFileSync(join(modules, name, "package.json"), JSON.stringify({ name, type: "module", exports }));
  }
}
