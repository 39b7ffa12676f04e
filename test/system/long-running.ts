import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { CommandError, type Result } from "./command.ts";

/** A program that runs beside the test until it is stopped. */
export interface LongRunning {
  readonly pid: number;
  /** Resolves with the first line that it prints; rejects with what it said when it ends without. */
  readonly firstLine: Promise<string>;
  /** Resolves when it ends by itself. */
  readonly result: Promise<Result>;
  /** Sends the signal (SIGTERM unless told) and waits for the end; again gives the same result. */
  stop(signal?: NodeJS.Signals): Promise<Result>;
}

/** Starts a program of the host that ends at the latest with this process. */
export function startLongRunning(argv: readonly string[]): LongRunning {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  const firstData = once(child.stdout, "data");
  const result = Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]).then(
    ([stdout, stderr, [code, signal]]): Result => ({ stdout, stderr, code: code ?? (signal === null ? 0 : 128) }),
  );
  result.catch(() => {});
  const firstLine = Promise.race([firstData, once(child, "close")]).then(async ([data]) => {
    const ended = typeof data !== "object" && (await result);
    if (ended) throw new CommandError(argv.join(" "), `ended with exit code ${ended.code} without a word`, ended);
    return String(data).split("\n")[0]!;
  });
  firstLine.catch(() => {});
  return {
    pid: child.pid!,
    firstLine,
    result,
    async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Result> {
      child.kill(signal);
      return await result;
    },
  };
}
