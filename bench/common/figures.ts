import { table } from "../../src/cli/print.ts";

/** One table of a bench. The first column names the contestant, the others are numbers as text. */
export interface Figures {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly string[][];
  /** What must be known to read them. */
  readonly notes?: readonly string[];
}

/** For a terminal. */
export function figuresText({ title, head, rows, notes = [] }: Figures): string {
  const right = head.map((_, column) => column).slice(1);
  return [`${title}\n`, table(head, rows, { right }), ...notes.map((note) => `${note}\n`)].join("\n");
}

export function figuresMarkdown({ title, head, rows, notes = [] }: Figures): string {
  const lines = [head, head.map((_, column) => (column === 0 ? "---" : "--:")), ...rows];
  const cells = lines.map((line) => `| ${line.join(" | ")} |`);
  return [`${title}:\n`, `${cells.join("\n")}\n`, ...notes.map((note) => `${note}\n`)].join("\n");
}
