import type { Figures } from "./figures.ts";
import { median, medianInterval } from "./quantile.ts";
import type { Slice } from "./throughput.ts";

export interface ThroughputRow {
  readonly name: string;
  readonly slices: readonly Slice[];
}

/** What was aimed at: so many times the requests per second of the base. */
export interface Aim {
  readonly row: string;
  readonly least: number;
}

/** Ratios are those of the slices of one round, and then the median of all rounds: what slowed one slice slowed its neighbours too. */
export function throughputFigures(
  title: string,
  rows: readonly ThroughputRow[],
  { base, aims }: { readonly base: string; readonly aims: readonly Aim[] },
): Figures {
  const unit = rows.find(({ name }) => name === base)!;
  const ratios = ({ slices }: ThroughputRow, key: keyof Slice): number[] =>
    slices.map((slice, round) => slice[key] / unit.slices[round]![key]);
  return {
    title,
    head: ["", "requests/s", "ratio", "95 % between", "p50 ms", "p99 ms", "ratio", "CPU us/request", "ratio"],
    rows: rows.map((row) => {
      const of = (key: keyof Slice): number => median(row.slices.map((slice) => slice[key]));
      const ratio = (key: keyof Slice): string => (row === unit ? "1.000" : median(ratios(row, key)).toFixed(3));
      const [low, high] = medianInterval(ratios(row, "perSecond"));
      return [
        row.name,
        of("perSecond").toFixed(0),
        ratio("perSecond"),
        row === unit ? "" : `${low.toFixed(2)}-${high.toFixed(2)}`,
        of("p50").toFixed(2),
        of("p99").toFixed(2),
        ratio("p99"),
        of("cpu").toFixed(1),
        ratio("cpu"),
      ];
    }),
    notes: [
      `The client's own CPU time, on the same cores: ${median(unit.slices.map(({ clientCpu }) => clientCpu)).toFixed(0)} us for each request of ${base}.`,
      ...aims.map((aim) => judge(aim, ratios(rows.find(({ name }) => name === aim.row)!, "perSecond"), base)),
    ],
  };
}

// --- internal ---

/** Says also when the figures are too noisy to tell. */
function judge({ row, least }: Aim, ratios: readonly number[], base: string): string {
  const [low, high] = medianInterval(ratios);
  const found = median(ratios).toFixed(3);
  const verdict = median(ratios) >= least ? "met" : "missed";
  const doubt = low < least && high >= least ? ", within the noise of this run" : "";
  return `Aim: ${row}, at least ${least} x ${base}: ${verdict} with ${found}${doubt}.`;
}
