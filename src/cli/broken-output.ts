import type { Problem } from "../problem.ts";
import { systemProblem } from "./system-problem.ts";

/**
 * What becomes of a write to stdout or stderr that fails: without listeners Node would throw, with a stack.
 * @param report told of a stdout that does not take what a command prints, a full disk for example
 */
export function watchOutput(report: (problem: Problem) => void): void {
  let isTold = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return; // Whoever read it has read enough; what is being made is made to the end.
    const problem = systemProblem(error);
    if (!problem) throw error;
    if (isTold) return; // `rouse run` prints again and again.
    isTold = true;
    report({ ...problem, what: `what was made could not be printed: ${problem.what}` });
  });
  process.stderr.on("error", () => {}); // There is nowhere left to say it.
}
