import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { HandOver } from "../run/sockets.ts";
import { takeInterrupts } from "./interrupts.ts";
import { createRunView } from "./run-view.ts";

interface Flags {
  as: HandOver;
  socket?: string[];
  port?: string[];
  accept?: boolean;
  /** commander's form of --no-pid. */
  pid: boolean;
  watch?: boolean;
  watchPath?: string[];
  inspect?: string | true;
  inspectBrk?: string | true;
  lazy?: boolean;
  sandbox?: boolean;
  credential?: string[];
  environmentFile?: string;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** `rouse run`: the service from its sources, or any program, with its sockets handed over as in production. */
export function runCommand(): Command {
  return new Command("run")
    .description("start a service, or any program, with its sockets opened and handed over as in production")
    .usage("[options] [dir]\n       rouse run [options] -- program [args...]")
    .argument("[dir]", "the folder that holds the definition (default: the current one)")
    .argument("[program...]", "after --: a program to start instead; no definition is read then")
    .addOption(
      new Option("--as <how>", "how the sockets are handed over")
        .choices(["systemd", "launchd", "inetd", "fd", "bind"])
        .default("systemd"),
    )
    .option("-s, --socket <name=address>", "open this socket, or have one of the definition listen here", collect)
    .option("--port <name=port>", "have a socket of the definition listen on this port", collect)
    .option("--accept", "a process for each connection (for a program without a definition)")
    .option("--no-pid", "no LISTEN_PID, for programs that start the server as their child")
    .option("--watch", "build and start anew when a source changes; the sockets stay open")
    .option("--watch-path <path>", "watch this file or folder too", collect)
    .option("--inspect [address]", "let a debugger attach to the program", inspectAddress)
    .option("--inspect-brk [address]", "the same, and halt at its first line", inspectAddress)
    .option("--lazy", "start at the first connection, and again at the next after an end")
    .option("--sandbox", "under the sandbox of the unit that would be installed (Linux with systemd)")
    .option("--credential <name=file>", "take this file for a credential of the definition", collect)
    .option("--environment-file <file>", "variables, read as systemd's EnvironmentFile= reads them")
    .option("--json", "print what happens as one JSON document a line; the program's own output goes to stderr")
    .option("-q, --quiet", "print warnings and errors only")
    .option("--verbose", "print everything, also where the output is no terminal")
    .exitOverride()
    .addHelpText("after", EXAMPLES)
    .action(runAction);
}

// --- internal ---

const EXAMPLES = `
Examples:
  rouse run --watch                                  the service in this folder, started anew at each change
  rouse run --as launchd --lazy                      as launchd would start it, at the first connection
  rouse run -s http=8080 -s stats=udp:8125 -- ./server
  rouse run -s http::8080 -- ./server                systemfd's spelling`;

async function runAction(...given: unknown[]): Promise<void> {
  const command = given.pop() as Command;
  const flags = given.pop() as Flags;
  const { folder, program } = operands(command);
  const { run } = await import("../run.ts");
  const view = createRunView(flags);
  let isAskedToEnd = false;
  try {
    const exit = await run({
      folder: resolve(folder),
      command: program,
      as: flags.as,
      sockets: flags.socket ?? [],
      ports: flags.port ?? [],
      accept: flags.accept ?? false,
      withoutPid: !flags.pid,
      lazy: flags.lazy ?? false,
      sandbox: flags.sandbox ?? false,
      watch: (flags.watch ?? false) || flags.watchPath !== undefined,
      watchPaths: (flags.watchPath ?? []).map((path) => resolve(path)),
      inspect: inspectOption(flags),
      credentials: flags.credential ?? [],
      environmentFile: flags.environmentFile,
      host: `${process.platform}-${process.arch}`,
      env: process.env,
      stdout: flags.json ? 2 : 1,
      write: (stream, chunk) => writeTo(flags.json ? process.stderr : process[stream], chunk),
      emit: view.show,
      onSignal: (handler) =>
        onSignal((signal) => {
          isAskedToEnd ||= signal === "SIGINT" || signal === "SIGTERM" || signal === "SIGQUIT";
          handler(signal);
        }),
    });
    process.exitCode = exit.code ?? 128 + constants.signals[exit.signal!];
  } finally {
    await view.end(isAskedToEnd ? 500 : Number.POSITIVE_INFINITY);
  }
}

/** @returns what to wait for, where the reader is slow; one that is gone takes everything */
function writeTo(output: NodeJS.WriteStream, chunk: Buffer): Promise<unknown> | undefined {
  if (output.destroyed || output.write(chunk)) return undefined;
  return new Promise<void>((resolve) => {
    const done = (): void => {
      output.off("drain", done).off("close", done);
      resolve();
    };
    output.once("drain", done).once("close", done);
  });
}

/** What stands after "--" is the program, whatever it looks like. */
function operands(command: Command): { folder: string; program: readonly string[] | undefined } {
  const { rawArgs } = command.parent as Command & { readonly rawArgs: readonly string[] };
  const end = rawArgs.indexOf("--");
  const program = end < 0 ? undefined : rawArgs.slice(end + 1);
  const before = command.args.slice(0, command.args.length - (program?.length ?? 0));
  if (program?.length === 0) command.error("error: a program is missing after --");
  if (program ? before.length > 0 : before.length > 1) {
    command.error(`error: what is "${before.at(-1)}"? A program to start stands after --`);
  }
  if (before[0] === "") command.error("error: the folder's name is empty");
  return { folder: before[0] ?? ".", program };
}

const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];

function inspectAddress(text: string): string {
  if (/^([^:]+:|\[[^\]]+\]:)?\d{1,5}$/.test(text)) return text;
  throw new InvalidArgumentError("It is [host:]port; a folder stands before it.");
}

function inspectOption({ inspect, inspectBrk }: Flags): string | undefined {
  const [name, value] = inspectBrk === undefined ? ["--inspect", inspect] : ["--inspect-brk", inspectBrk];
  if (value === undefined) return undefined;
  return value === true ? name : `${name}=${value}`;
}

/** Passed on to the program, which is in a session of its own. */
const PASSED_ON = ["SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"] as const;

function onSignal(handler: (signal: NodeJS.Signals) => void): () => void {
  const hadTerminal = hasTerminal();
  const suspend = (): void => {
    handler("SIGTSTP");
    process.kill(process.pid, "SIGSTOP");
  };
  // A window that is closed sends SIGHUP as an administrator does who wants a reload.
  const release = takeInterrupts((signal) =>
    handler(signal === "SIGHUP" && hadTerminal && !hasTerminal() ? "SIGTERM" : signal),
  );
  for (const signal of PASSED_ON) process.on(signal, handler);
  process.on("SIGTSTP", suspend);
  // Whoever reads the events of --json is gone, and so is who wanted the service.
  const end = ({ code }: NodeJS.ErrnoException): void => {
    if (code === "EPIPE") handler("SIGTERM");
  };
  process.stdout.once("error", end);
  return () => {
    process.stdout.off("error", end);
    release();
    for (const signal of PASSED_ON) process.off(signal, handler);
    process.off("SIGTSTP", suspend);
  };
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
