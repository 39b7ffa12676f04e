/** What the runtime says to people: on stderr, one line each, never through `console`, which a program may have replaced. */
import { writeSync } from "node:fs";
import { basename } from "node:path";
import { built } from "./built.ts";

export function warn(text: string): void {
  print(`warning: ${text}`);
}

/** Says what was found and decided, where ROUSE_DEBUG names "activation". The text is made only then. */
export function debug(text: () => string): void {
  if (process.env.ROUSE_DEBUG?.split(",").includes("activation")) print(`activation: ${text()}`);
}

export function print(text: string): void {
  const program = built?.name ?? basename(process.argv[1] ?? process.execPath);
  try {
    writeSync(2, `${program}: ${text}\n`);
  } catch {
    // A closed stderr is no reason for a server to die.
  }
}
