import type { Figures } from "../common/figures.ts";
import { quantile } from "../common/quantile.ts";
import type { Sample } from "./sample.ts";

/** What one contestant gave. */
export interface Row {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/** Servers measured side by side in one run; `base` is the row that the others are compared with. */
export function compare(title: string, rows: readonly Row[], base: string): Figures {
  const unit = rows.find(({ name }) => name === base);
  return {
    title,
    head: ["", "median ms", "p90 ms", `x ${base}`, "resident MB", "own MB"],
    rows: rows.map((row) => cells(row, unit)),
  };
}

// --- internal ---

function cells(row: Row, unit: Row | undefined): string[] {
  const memory = row.samples.flatMap((sample) => sample.memory ?? []);
  const megabytes = (values: number[]): string => (values.length > 0 ? quantile(values, 0.5).toFixed(1) : "");
  return [
    row.name,
    milliseconds(row, 0.5).toFixed(1),
    milliseconds(row, 0.9).toFixed(1),
    unit ? (milliseconds(row, 0.5) / milliseconds(unit, 0.5)).toFixed(2) : "",
    megabytes(memory.map(({ resident }) => resident)),
    megabytes(memory.map(({ own }) => own)),
  ];
}

function milliseconds({ samples }: Row, part: number): number {
  return quantile(
    samples.map((sample) => sample.milliseconds),
    part,
  );
}
