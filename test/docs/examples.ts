/** The fenced code blocks of the documentation that are TypeScript or JavaScript, and what the comment above each says. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Example {
  /** Relative to the root, with `/`. */
  readonly document: string;
  /** Of the first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  readonly extension: "ts" | "mjs" | "cjs";
  /** What stands behind "example:" in the comment; undefined where there is none. */
  readonly how: string | undefined;
}

export function readExamples(root: string): Example[] {
  const documents = globSync(["README.md", "docs/**/*.md", "packages/*/README.md", "examples/*/README.md"], {
    cwd: root,
  });
  return documents.sort().flatMap((document) => examplesIn(document, readFileSync(join(root, document), "utf8")));
}

/** @throws {Error} for a block that is not closed */
export function examplesIn(document: string, text: string): Example[] {
  const lines = text.split("\n");
  const found: Example[] = [];
  for (let i = 0; i < lines.length; i++) {
    const fence = /^(\s*)(`{3,}|~{3,})\s*(\w*)/.exec(lines[i]!);
    if (!fence) continue;
    const [, indent, marks, language] = fence as unknown as [string, string, string, string];
    const end = lines.findIndex((line, index) => index > i && line.trim() === marks);
    if (end < 0) throw new Error(`${document}:${i + 1}: this block is never closed`);
    const code = lines
      .slice(i + 1, end)
      .map((line) => line.slice(indent.length))
      .join("\n");
    const extension = extensionOf(language, code);
    if (extension) found.push({ document, line: i + 2, code, extension, how: commentAbove(lines, i) });
    i = end;
  }
  return found;
}

// --- internal ---

function extensionOf(language: string, code: string): Example["extension"] | undefined {
  if (/^(ts|typescript|mts|cts|tsx)$/i.test(language)) return "ts";
  if (!/^(js|javascript|mjs|cjs|jsx)$/i.test(language)) return undefined;
  return language === "cjs" || /\brequire\("/.test(code) ? "cjs" : "mjs";
}

function commentAbove(lines: readonly string[], fence: number): string | undefined {
  const above = lines[fence - 1]?.trim() === "" ? fence - 2 : fence - 1;
  return /^\s*<!-- example: (.+) -->\s*$/.exec(lines[above] ?? "")?.[1];
}
