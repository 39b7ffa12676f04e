/** Imports nothing but Node's own modules: it also runs inside the machine of through-systemd.ts. */
import { readFileSync } from "node:fs";

/** What one round of one server gave. */
export interface Sample {
  readonly milliseconds: number;
  /** Resident memory right after the first answer, in megabytes of 10^6 bytes. */
  readonly megabytes?: number;
}

/** Resident memory of a process (VmRSS of proc_pid_status(5)). */
export function residentMegabytes(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return (Number(kibibytes) * 1024) / 1e6;
}

/** The value below which the given part of all lies; 0.5 is the median. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
  return below + (above - below) * (position % 1);
}
