import { CommanderError } from "commander";
import { removeUnfinished } from "../output.ts";
import { type Problem, RouseError } from "../problem.ts";
import { watchOutput } from "./broken-output.ts";
import { exitCode } from "./exit-code.ts";
import { watchInterrupts } from "./interrupts.ts";
import { describeProblem } from "./print.ts";
import { createProgram } from "./program.ts";
import { systemProblem } from "./system-problem.ts";

// An interrupted build leaves no temporary file: the default action of these signals would run no exit handler.
process.once("exit", removeUnfinished);
watchInterrupts();

watchOutput((problem) => {
  process.exitCode = tell([problem]);
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode ||= report(error); // A --help that could not be printed is not done.
}

// --- internal ---

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage; // It has printed its own message.
  if (error instanceof RouseError) return tell(error.problems);
  const problem = systemProblem(error);
  if (problem) return tell([problem]);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`rouse: a fault of Rouse itself, please report it:\n${text}\n`);
  return exitCode.fault;
}

function tell(problems: readonly Problem[]): number {
  for (const problem of problems) process.stderr.write(describeProblem(problem));
  return exitCode.wrong;
}
