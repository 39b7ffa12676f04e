import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Puts the figures between the two markers of bench/README.md. */
export function writeReadme(figures: string): void {
  const text = readFileSync(path, "utf8");
  const [start, end] = [text.indexOf(markers.start), text.indexOf(markers.end)];
  if (start === -1 || end < start) throw new Error(`${path} lacks ${markers.start} and ${markers.end}`);
  writeFileSync(path, `${text.slice(0, start + markers.start.length)}\n\n${figures}\n${text.slice(end)}`);
}

// --- internal ---

const path = join(import.meta.dirname, "../README.md");
const markers = { start: "<!-- figures: made by the program -->", end: "<!-- end of figures -->" };
