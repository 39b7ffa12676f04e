import { type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { text } from "node:stream/consumers";

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 128 + the signal's number where a signal ended the command, as in a shell. */
  readonly code: number;
}

export interface CommandOptions {
  /** Milliseconds, after which the command is killed and the promise rejects. */
  readonly timeout?: number;
  /** A file descriptor to read standard input from. */
  readonly stdin?: number;
  /** Shown in errors instead of the whole command line. */
  readonly title?: string;
}

/** A command that failed, with everything that a reader of a test report wants to see. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly result: Result | undefined;

  constructor(command: string, outcome: string, result?: Result) {
    const streams = result === undefined ? [] : [section("stdout", result.stdout), section("stderr", result.stderr)];
    super([`${command}\n  ${outcome}`, ...streams].join("\n"));
    this.result = result;
  }
}

/**
 * Runs a program on the host and waits for its end, whatever its exit code.
 * @throws {CommandError} when it cannot be started or takes longer than the timeout (60 s unless told)
 */
export async function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<Result> {
  const { timeout = 60_000, title = argv.join(" ") } = options;
  const [program, ...args] = argv;
  const stdio: SpawnOptions["stdio"] = [options.stdin ?? "ignore", "pipe", "pipe"];
  const child = spawn(program!, args, { stdio });
  const ended = Promise.withResolvers<number>();
  child.once("error", (cause) => ended.reject(new CommandError(title, `cannot be started: ${cause.message}`)));
  child.once("exit", (code, signal) => ended.resolve(code ?? 128 + signalNumber(signal)));

  const timer = setTimeout(() => {
    ended.reject(new CommandError(title, `took longer than ${timeout} ms`));
    child.kill("SIGKILL");
    // A grandchild in the machine may hold the pipes open for ever.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, timeout);
  try {
    const streams = Promise.all([text(child.stdout!), text(child.stderr!)]);
    streams.catch(() => {});
    const code = await ended.promise;
    const [stdout, stderr] = await streams;
    return { stdout, stderr, code };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a program on the host and waits for its success.
 * @throws {CommandError} also when its exit code is not zero
 */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<Result> {
  const result = await tryCommand(argv, options);
  if (result.code !== 0) throw new CommandError(options.title ?? argv.join(" "), `exit code ${result.code}`, result);
  return result;
}

// --- internal ---

function section(title: string, content: string): string {
  const lines = content.trimEnd().split("\n");
  return content === "" ? `  ${title}: (empty)` : `  ${title}:\n${lines.map((line) => `    ${line}`).join("\n")}`;
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal];
}
