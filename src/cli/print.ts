import { relative } from "node:path";
import { styleText } from "node:util";
import type { Place, Problem } from "../problem.ts";

/** A problem as a person reads it: what and where, the line at fault, and how to mend it. */
export function describeProblem(problem: Problem, kind: "error" | "warning" = "error"): string {
  const { where } = problem;
  const [what, mend] = [problem.what, problem.mend].map((text) => text?.split("\n").map(printable).join("\n"));
  const lines = [kind === "error" ? `${color("red", "rouse:")} ${what}` : `rouse: warning: ${what}`];
  const place = where && describePlace(where);
  if (place) lines.push(`  at:   ${printable(place)}`);
  if (where?.source && where.column)
    lines.push(`        ${printable(where.source)}`, `        ${" ".repeat(where.column - 1)}${color("red", "^")}`);
  if (mend) lines.push(`  mend: ${mend}`);
  return `${lines.join("\n")}\n`;
}

/**
 * One line of what somebody else has said, for a terminal: what would move the cursor, colour or name the window, or turn
 * the direction of writing, stands there as JavaScript escapes it.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\t" ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Columns as wide as their widest cell, two blanks between them. */
export function table(
  head: readonly string[],
  rows: readonly string[][],
  { right = [], stream = process.stdout }: { right?: readonly number[]; stream?: NodeJS.WriteStream } = {},
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  return `${[color("bold", line(head), stream), ...rows.map(line)].join("\n")}\n`;
}

/** Coloured where the stream is a terminal and NO_COLOR is not set. */
export function color(
  format: "red" | "dim" | "bold",
  text: string,
  stream: NodeJS.WriteStream = process.stderr,
): string {
  return styleText(format, text, { stream });
}

// --- internal ---

function describePlace({ file, line, column, key }: Place): string {
  const shown = file && (relative(process.cwd(), file).startsWith("../..") ? file : relative(process.cwd(), file));
  const position = [shown, line, column].filter((part) => part !== undefined).join(":");
  return [position, key && `"${key}"`].filter(Boolean).join(", ");
}
