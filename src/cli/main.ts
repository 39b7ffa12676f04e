import { CommanderError } from "commander";
import { removeUnfinished } from "../output.ts";
import { RouseError } from "../problem.ts";
import { exitCode } from "./exit-code.ts";
import { describeProblem } from "./print.ts";
import { createProgram } from "./program.ts";

// An interrupted build leaves no temporary file: the default action of these signals would run no exit handler.
process.once("exit", removeUnfinished);
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.once("SIGHUP", () => process.exit(129));

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

// --- internal ---

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage; // It has printed its own message.
  if (error instanceof RouseError) {
    for (const problem of error.problems) process.stderr.write(describeProblem(problem));
    return exitCode.wrong;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`rouse: a fault of Rouse itself, please report it:\n${text}\n`);
  return exitCode.fault;
}
