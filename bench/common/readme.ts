import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Puts the figures of one bench between its two markers of bench/README.md. */
export function writeReadme(bench: string, figures: string): void {
  const text = readFileSync(path, "utf8");
  const [first, last] = [`<!-- figures of ${bench}: made by the program -->`, `<!-- end of figures of ${bench} -->`];
  const [start, end] = [text.indexOf(first), text.indexOf(last)];
  if (start === -1 || end < start) throw new Error(`${path} lacks ${first} and ${last}`);
  writeFileSync(path, `${text.slice(0, start + first.length)}\n\n${figures}\n${text.slice(end)}`);
}

// --- internal ---

const path = join(import.meta.dirname, "../README.md");
