/** What the runtime says to people: on stderr, one line each, never through `console`, which a program may have replaced. */
import { writeSync } from "node:fs";
import { basename } from "node:path";
import { built } from "./built.ts";

/** Says what was found and decided, where ROUSE_DEBUG names "activation". The text is made only then. */
export function debug(text: () => string): void {
  if (process.env.ROUSE_DEBUG?.includes("activation")) print(`activation: ${text()}`);
}

export function print(text: string): void {
  try {
    writeSync(2, `${built?.name ?? basename(process.argv[1] ?? "node")}: ${text}\n`);
  } catch {
    // A closed stderr is no reason for a server to die.
  }
}
