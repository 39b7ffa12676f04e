import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { RouseError } from "../problem.ts";
import type { Guardian } from "./guardian.ts";

export interface ChildRequest {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** By descriptor, from 0: one of ours, or nothing. */
  readonly stdio: readonly (number | "ignore" | "report")[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that the launcher has started: the leader of a session of its own, so that it gets only the signals that we send. */
export interface Child {
  readonly pid: number;
  /** As performance.now(). */
  readonly since: number;
  /** What the program's first answer is told through, where it was asked for. */
  readonly report: Readable | undefined;
  readonly exited: Promise<Exit>;
  readonly isAlive: boolean;
  /** To the process alone. */
  signal(signal: NodeJS.Signals): void;
  /** To its whole group, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void;
}

/** @throws {RouseError} not-started */
export async function startChild({ command, cwd, env, stdio }: ChildRequest, guardian: Guardian): Promise<Child> {
  const since = performance.now();
  const child = spawn(command[0], command.slice(1), {
    cwd,
    env,
    detached: true,
    stdio: stdio.map((what) => (what === "report" ? "pipe" : what)),
  });
  const { pid } = child;
  if (pid === undefined) throw await startProblem(child, command[0], cwd);
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
  return {
    pid,
    since,
    report: stdio.includes("report") ? (child.stdio[stdio.indexOf("report")] as Readable) : undefined,
    exited,
    get isAlive() {
      return isAlive;
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

// --- internal ---

async function startProblem(child: ReturnType<typeof spawn>, program: string, cwd: string): Promise<RouseError> {
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => child.once("error", resolve));
  return new RouseError(
    { code: "not-started", what: `${program} could not be started in ${cwd}: ${error.code}`, mend: mendOf(error.code) },
    { cause: error },
  );
}

function mendOf(code: string | undefined): string {
  if (code === "EACCES") return "make it executable: chmod +x";
  if (code === "EAGAIN" || code === "ENOMEM") return "the machine has no room for another process: end some";
  if (code === "E2BIG") return "its arguments and environment are too long together";
  return "see that the program and the folder are there";
}
