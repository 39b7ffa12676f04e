import { progressLine } from "#fetch-node";
import type { Progress } from "../build.ts";
import { color } from "./print.ts";

/** Progress on stderr, a line for each stage: `done` says what was made, `stop` only closes the line that is open. */
export function createProgress({ quiet, verbose }: { quiet: boolean; verbose: boolean }): Progress & {
  done(subject: string): void;
  stop(): void;
} {
  const begun = performance.now();
  let current: { line: string; since: number } | undefined;
  const write = (text: string): void => {
    if (!quiet) process.stderr.write(text);
  };
  const finish = (): void => {
    if (current && verbose) write(`${color("dim", `  ${seconds(current.since)}`)}\n`);
    else if (current) write("\n");
    current = undefined;
  };
  return {
    stage(name, subject) {
      finish();
      current = { line: `${color("dim", "rouse:")} ${name.padEnd(10)}  ${subject}`, since: performance.now() };
      write(current.line);
    },
    warn(text) {
      finish();
      process.stderr.write(`rouse: warning: ${text}\n`);
    },
    fetching(target) {
      if (quiet) return { onProgress: () => {} };
      let line: ReturnType<typeof progressLine> | undefined;
      return {
        onProgress(received, total) {
          if (!line) finish();
          line ??= progressLine(target);
          line.onProgress(received, total);
          if (received === total) line.end();
        },
      };
    },
    stop: finish,
    done(subject) {
      finish();
      write(`${color("dim", "rouse:")} ${"done".padEnd(10)}  ${subject} in ${seconds(begun)}\n`);
    },
  };
}

// --- internal ---

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(2)} s`;
}
