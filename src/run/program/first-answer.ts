import type { Readable } from "node:stream";

/**
 * Reads what a program that was built for this run tells of its first answer: one line, as first-byte.ts writes it.
 * @param answered gets when that was, and when the first connection was taken, as performance.now()
 */
export function readFirstByte(report: Readable | undefined, answered: (at: number, acceptedAt: number) => void): void {
  if (!report) return;
  let text = "";
  report.setEncoding("utf8");
  report.on("error", () => {});
  report.on("data", (piece: string) => {
    text += piece;
  });
  report.on("end", () => {
    const [, at, acceptedAt] = /^first-byte (\d+) accepted (\d+)$/m.exec(text) ?? [];
    if (at !== undefined && acceptedAt !== undefined) answered(toPerformance(at), toPerformance(acceptedAt));
  });
  (report as Readable & { unref?(): void }).unref?.();
}

// --- internal ---

function toPerformance(microseconds: string): number {
  const ago = Number(process.hrtime.bigint() / 1000n - BigInt(microseconds)) / 1000;
  return performance.now() - ago;
}
