import { table } from "../../src/cli/print.ts";
import { quantile } from "../common/quantile.ts";
import type { Sample } from "./sample.ts";

/** Servers measured side by side in one run. */
export interface Comparison {
  readonly title: string;
  readonly rows: readonly Row[];
  /** The row that the others are compared with. */
  readonly base: string;
}

export interface Row {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/** For a terminal. */
export function comparisonText(comparison: Comparison): string {
  return `${comparison.title}\n\n${table(head(comparison), cells(comparison), { right: [1, 2, 3, 4, 5] })}`;
}

export function comparisonMarkdown(comparison: Comparison): string {
  const lines = [head(comparison), ["---", "--:", "--:", "--:", "--:", "--:"], ...cells(comparison)];
  return `${comparison.title}:\n\n${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n`;
}

// --- internal ---

function head({ base }: Comparison): string[] {
  return ["", "median ms", "p90 ms", `x ${base}`, "resident MB", "own MB"];
}

function cells({ rows, base }: Comparison): string[][] {
  const median = ({ samples }: Row): number => quantile(milliseconds(samples), 0.5);
  const unit = rows.find(({ name }) => name === base);
  return rows.map((row) => {
    const memory = row.samples.flatMap((sample) => sample.memory ?? []);
    const megabytes = (values: number[]): string => (values.length > 0 ? quantile(values, 0.5).toFixed(1) : "");
    return [
      row.name,
      median(row).toFixed(1),
      quantile(milliseconds(row.samples), 0.9).toFixed(1),
      unit ? (median(row) / median(unit)).toFixed(2) : "",
      megabytes(memory.map(({ resident }) => resident)),
      megabytes(memory.map(({ own }) => own)),
    ];
  });
}

const milliseconds = (samples: readonly Sample[]): number[] => samples.map((sample) => sample.milliseconds);
