import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Problem, RouseError } from "../../problem.ts";
import type { Guardian } from "./guardian.ts";

export interface ChildRequest {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** By descriptor, from 0: one of ours, or nothing. */
  readonly stdio: readonly (number | "ignore" | "report" | "gate")[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that the launcher has started: the leader of a session of its own, so that it gets only the signals that we send. */
export interface Child {
  readonly pid: number;
  /** As performance.now(): when it was started, or let through the gate. */
  readonly since: number;
  /** What the program's first answer is told through, where it was asked for. */
  readonly report: Readable | undefined;
  readonly exited: Promise<Exit>;
  /** Its INVOCATION_ID, where it is started as systemd does it. */
  readonly invocation: string | undefined;
  readonly isAlive: boolean;
  /** Lets the program begin, where it was asked to wait for that. */
  openGate(): void;
  /** To the process alone. */
  signal(signal: NodeJS.Signals): void;
  /** To its whole group, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void;
}

/** @throws {RouseError} not-started */
export async function startChild(request: ChildRequest, guardian: Guardian): Promise<Child> {
  const { stdio } = request;
  let since = performance.now();
  const child = tryToSpawn(request);
  const { pid } = child;
  if (pid === undefined) throw startProblem(await errorOf(child), request);
  guardian.started(pid);
  let isAlive = true;
  const send = (to: number, signal: NodeJS.Signals): void => {
    try {
      if (isAlive || to < 0) process.kill(to, signal);
    } catch {
      // It has just ended.
    }
  };
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      isAlive = false;
      // As a service manager does: what a service has started ends with it.
      send(-pid, "SIGKILL");
      guardian.ended(pid);
      resolve({ code, signal });
    });
  });
  const gate = stdio.includes("gate") ? (child.stdio[stdio.indexOf("gate")] as Writable) : undefined;
  gate?.on("error", () => {}); // It has ended; that is told otherwise.
  return {
    pid,
    get since() {
      return since;
    },
    report: stdio.includes("report") ? (child.stdio[stdio.indexOf("report")] as Readable) : undefined,
    exited,
    invocation: request.env.INVOCATION_ID,
    get isAlive() {
      return isAlive;
    },
    openGate() {
      if (!gate) return;
      since = performance.now();
      gate.end("!");
    },
    signal: (signal) => send(pid, signal),
    signalGroup: (signal) => isAlive && send(-pid, signal),
  };
}

/** Whether it ends within that time, in milliseconds. */
export async function endsWithin(child: Child, time: number): Promise<boolean> {
  const cancel = new AbortController();
  const late = sleep(time, false, { signal: cancel.signal }).catch(() => false);
  const ended = await Promise.race([child.exited.then(() => true), late]);
  cancel.abort();
  return ended;
}

/** What came to the launcher and ends nothing. */
export function passOn(child: Child, signal: NodeJS.Signals): void {
  // Without a terminal of its own the process would not be halted by a Ctrl-Z; and nothing of it is to go on.
  if (signal === "SIGTSTP") child.signalGroup("SIGSTOP");
  else if (signal === "SIGCONT") child.signalGroup("SIGCONT");
  else child.signal(signal);
}

/** Why there is no process. */
export async function errorOf(child: ChildProcess): Promise<Error> {
  return await new Promise((resolve) => child.once("error", resolve));
}

export function startProblem(
  error: NodeJS.ErrnoException,
  { command: [program], cwd }: Pick<ChildRequest, "command" | "cwd">,
): RouseError {
  const what = `${program} could not be started in ${cwd}: ${error.code}`;
  return new RouseError({ code: "not-started", what, mend: mendOf(error.code) }, { cause: error });
}

/** @param after milliseconds */
export function ignoresSignal(pid: number, after: number): Problem {
  return {
    code: "ignores-signal",
    what: `process ${pid} had not ended ${Math.round(after / 100) / 10} s after it was asked to, and was killed`,
    mend: "let SIGTERM end it: activate() does so, where the program has no handler of its own",
  };
}

// --- internal ---

/** Node throws some of what the system may say, and tells the rest by an event. */
function tryToSpawn(request: ChildRequest): ChildProcess {
  const { command, cwd, env, stdio } = request;
  const streams = stdio.map((what) => (what === "report" || what === "gate" ? "pipe" : what));
  try {
    return spawn(command[0], command.slice(1), { cwd, env, detached: true, stdio: streams });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === "spawn" ? startProblem(error as Error, request) : error;
  }
}

function mendOf(code: string | undefined): string {
  if (code === "EACCES") return "make it executable: chmod +x";
  if (code === "EMFILE" || code === "ENFILE") return "allow more open files: ulimit -n";
  if (code === "EAGAIN" || code === "ENOMEM") return "the machine has no room for another process: end some";
  if (code === "E2BIG") return "its arguments and environment are too long together";
  return "see that the program and the folder are there";
}
