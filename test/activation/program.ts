/** Small servers in processes of their own, given as text, so that each test shows its program beside what it expects. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type HeldSocket, spawnActivated } from "../helpers/passed-socket.ts";

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly child: ChildProcess;
  /** Resolves when the program has printed `text`; rejects when it ends without. */
  printed(text: string): Promise<void>;
  readonly ended: Promise<Result>;
}

export interface ProgramOptions {
  readonly sockets?: Readonly<Record<string, HeldSocket | readonly HeldSocket[]>>;
  readonly env?: NodeJS.ProcessEnv;
  readonly withoutPid?: boolean;
  /** The program's own arguments. */
  readonly args?: readonly string[];
  /** Its descriptor 0, as inetd gives it. */
  readonly stdin?: { readonly fd: number };
}

export const node = process.execPath;
export const flags: readonly string[] = ["--disable-warning=ExperimentalWarning"];
export const runtime: string = new URL("../../src/index.ts", import.meta.url).href;

/** Starts an ES module given as text, in which `activate`, `ActivationError` and the modules fs, net, http and dgram stand ready. */
export function startProgram(source: string, options: ProgramOptions = {}): Program {
  // With --eval the arguments would start one place earlier than a program's do.
  const args = options.args ? ["--", "program", ...options.args] : [];
  return start(node, [...flags, "--input-type=module", "--eval", moduleText(source), ...args], options);
}

/** The whole of such a module. */
export function moduleText(source: string): string {
  return `import { activate, ActivationError, secure } from ${JSON.stringify(runtime)};
    import fs from "node:fs"; import http from "node:http"; import net from "node:net"; import dgram from "node:dgram"; ${source}`;
}

export function start(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const { sockets, env, withoutPid = false, stdin } = options;
  const child = sockets
    ? spawnActivated(command, args, { sockets, withoutPid, env: { ...env } })
    : spawn(command, args, { env: { ...process.env, ...env }, stdio: [stdin?.fd ?? "ignore", "pipe", "pipe"] });
  return watch(child);
}

/** Runs a program to its end. */
export async function runProgram(source: string, options: ProgramOptions = {}): Promise<Result> {
  return await startProgram(source, options).ended;
}

/** What a child prints and how it ends. */
export function watch(child: ChildProcess): Program {
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr!.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, stdout, stderr }));
  const printed = async (text: string) => {
    const gone = ended.then((result) =>
      Promise.reject(new Error(`ended without "${text}": ${JSON.stringify(result)}`)),
    );
    gone.catch(() => {});
    while (!stdout.includes(text)) await Promise.race([once(child.stdout!, "data"), gone]);
  };
  return { child, printed, ended };
}
