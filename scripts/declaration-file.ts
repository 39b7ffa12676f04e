/** One .d.ts file as tsc writes it: every statement begins in the first column, and nothing else but its last line does. */

export interface DeclarationFile {
  /** By name, with the comment above it and without `export`. Overloads stand together. */
  readonly declarations: ReadonlyMap<string, string>;
  /** Names that the file declares and exports. */
  readonly exports: readonly string[];
  readonly imports: readonly Import[];
  readonly reexports: readonly Import[];
}

/** `import { original as name } from "from"`, or the same with export. */
export interface Import {
  readonly name: string;
  readonly original: string;
  readonly from: string;
}

/** @throws {Error} for a statement that is not understood, so that none is ever left out */
export function readDeclarations(text: string): DeclarationFile {
  const declarations = new Map<string, string>();
  const exports: string[] = [];
  const lists: Record<"import" | "export", Import[]> = { import: [], export: [] };
  for (const { comment, code } of statements(text)) {
    if (/^export \{\};$/.test(code)) continue;
    const list = /^(import|export) (?:type )?\{(.*)\} from "([^"]+)";$/s.exec(code);
    if (list) {
      const [, kind, names, from] = list as unknown as [string, "import" | "export", string, string];
      lists[kind].push(...namesIn(names).map((names) => ({ ...names, from })));
      continue;
    }
    const declaration = /^(export )?(?:declare )?(?:function|abstract class|class|const|interface|type) ([\w$]+)/.exec(
      code,
    );
    if (!declaration) throw new Error(`this declaration is not understood: ${code}`);
    const [, isExported, name] = declaration as unknown as [string, string | undefined, string];
    const own = comment + code.replace(/^export /, "");
    const before = declarations.get(name);
    declarations.set(name, before === undefined ? own : `${before}\n${own}`);
    if (isExported && before === undefined) exports.push(name);
  }
  return { declarations, exports, imports: lists.import, reexports: lists.export };
}

/** Whether a declaration names that type or value: not as a property, a parameter or a part of a longer path. */
export function isUsedIn(declaration: string, name: string): boolean {
  const code = declaration.replaceAll(/\/\*.*?\*\/|"(?:[^"\\]|\\.)*"/gs, "");
  return new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}(?![\\w$(]|\\??:)`).test(code);
}

// --- internal ---

/** Of several comments in front of a statement the last is its own; the first belongs to the file. */
function statements(text: string): { comment: string; code: string }[] {
  const found: { comment: string; code: string }[] = [];
  let comment = "";
  for (const part of text.split(/^(?=(?:\/\*\*|import|export|declare|interface|type)\b|\/\*\*)/m)) {
    if (part.startsWith("/**")) comment = part;
    else if (part.trim() !== "") {
      found.push({ comment, code: part.trimEnd() });
      comment = "";
    }
  }
  return found;
}

function namesIn(list: string): { original: string; name: string }[] {
  return [...list.matchAll(/([\w$]+)(?: as ([\w$]+))?\s*(?:,|$)/g)].map(([, original, name]) => {
    return { original: original!, name: name ?? original! };
  });
}
