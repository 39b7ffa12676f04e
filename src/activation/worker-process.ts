/** One worker as its supervisor sees it: a child process that serves the supervisor's descriptors. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { type BindHook, serveRequests } from "./bind-requests.ts";
import { type Handed, PROTOCOL, WORKER_VARIABLE, type WorkerMessage } from "./channel.ts";
import type { Source } from "./choose.ts";
import { openPair } from "./ffi-share.ts";
import type { PassedSocket } from "./passed-socket.ts";
import { debug } from "./report.ts";
import { limitTime, watchFor } from "./worker-limits.ts";

export interface WorkerProcess {
  readonly isReady: boolean;
  /** Has had no connection for the time of idleExit. */
  readonly isIdle: boolean;
  /** Sends SIGTERM, and SIGKILL `deadline` milliseconds later. Resolves when it has ended. */
  stop(deadline: number): Promise<void>;
  kill(): void;
}

/** What all workers of one supervisor are started with. */
export interface WorkerPlan {
  readonly file: string;
  readonly args: readonly string[];
  /** Absolute, so that a folder that was replaced is entered anew. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly source: Source;
  readonly sockets: readonly Pick<PassedSocket, "name" | "fd">[];
  /** Milliseconds until it has to be ready. */
  readonly startLimit: number;
  /** Milliseconds without a sign of life, after which one that is ready is killed. */
  readonly hangLimit: number;
}

export interface WorkerEnd {
  /** For example "worker 1234 ended with exit code 1". */
  readonly what: string;
  /** Null: ended by a signal, or never started. */
  readonly code: number | null;
  readonly wasReady: boolean;
  /** Milliseconds. */
  readonly lived: number;
}

/** What its supervisor hears. */
export interface WorkerHooks {
  ready(): void;
  idle(): void;
  /** STATUS= or EXTEND_TIMEOUT_USEC= of sd_notify(3). */
  told(assignment: string): void;
  readonly bind: BindHook;
  /** Once, in a later turn of the event loop than the start. */
  ended(end: WorkerEnd): void;
}

export function startWorker(plan: WorkerPlan, hooks: WorkerHooks): WorkerProcess {
  const born = performance.now();
  let [isReady, isIdle] = [false, false];
  let reason: string | undefined;
  let heard = born;
  let watch: NodeJS.Timeout | undefined;

  const child = launch(plan, hooks.bind);
  const limit = limitTime(plan.startLimit, () =>
    kill(`was not ready within ${plan.startLimit / 1000} s, and was killed`),
  );

  const ended = new Promise<WorkerEnd>((resolve) => {
    const end = (how: string, code: number | null = null) =>
      resolve({
        what: `${child.pid ? `worker ${child.pid}` : "a worker"} ${how}`,
        code,
        wasReady: isReady,
        lived: performance.now() - born,
      });
    if (child instanceof Error) return end(`cannot be started: ${child.message}`);
    // Also emitted when a signal cannot be sent.
    child.on("error", ({ message }) => child.pid === undefined && end(`cannot be started: ${message}`));
    child.once("exit", (code, signal) => {
      end(reason ?? (signal ? `was ended by ${signal}` : `ended with exit code ${code}`), code);
    });
    child.on("message", hear);
  });
  debug(() => `worker ${child.pid}: ${plan.file} ${plan.args.join(" ")}`);
  ended.then((end) => {
    debug(() => end.what);
    limit.stop();
    clearInterval(watch);
    hooks.ended(end);
  });

  function hear(message: Partial<WorkerMessage>): void {
    heard = performance.now();
    const { rouse } = message;
    if (!rouse) return; // The program's own.
    if ("idle" in rouse) {
      isIdle = rouse.idle;
      if (isIdle) hooks.idle();
    } else for (const assignment of rouse.tell) hearAssignment(assignment);
  }

  function hearAssignment(assignment: string): void {
    const [name, value] = assignment.split("=", 2);
    if (name === "EXTEND_TIMEOUT_USEC") limit.extend(Number(value) / 1000);
    if (name === "EXTEND_TIMEOUT_USEC" || name === "STATUS") hooks.told(assignment);
    if (assignment !== "READY=1" || isReady) return;
    isReady = true;
    debug(() => `worker ${(child as ChildProcess).pid} is ready`);
    limit.stop();
    watch = watchFor(
      plan.hangLimit,
      () => heard,
      () => kill(`gave no sign of life for ${plan.hangLimit / 1000} s, and was killed`),
    );
    hooks.ready();
  }

  function kill(because?: string): void {
    reason = because;
    if (!(child instanceof Error)) child.kill("SIGKILL");
  }

  return {
    get isReady() {
      return isReady;
    },
    get isIdle() {
      return isIdle;
    },
    async stop(deadline) {
      clearInterval(watch); // What is left to do may take all of its time.
      limit.restart(deadline, () => kill(`did not end within ${deadline / 1000} s, and was killed`));
      if (!(child instanceof Error)) child.kill("SIGTERM");
      await ended;
    },
    kill,
  };
}

// --- internal ---

function launch(plan: WorkerPlan, bind: BindHook): ChildProcess | (Error & { pid?: undefined }) {
  // Also for a program that does not read --fd, by which a descriptor was found: it will bind its fallback.
  const pair = plan.source === "bind" || plan.source === "fd" ? openPair() : undefined;
  try {
    const stdio: StdioOptions = ["ignore", "inherit", "inherit"];
    const sockets = plan.sockets.map(({ name, fd }) => {
      // Under its own number where that is how the program knows it. Never as 0: libuv would make it blocking, for all who have it.
      const place = plan.source === "fd" && fd! > 2 ? fd! : stdio.length;
      stdio[place] = fd;
      return { name, fd: place };
    });
    if (pair) stdio.push(pair[1]);
    const handed: Handed = {
      protocol: PROTOCOL,
      source: plan.source,
      sockets,
      pair: pair && stdio.length - 1,
      watchdog: plan.hangLimit,
    };
    const env = { ...plan.env, [WORKER_VARIABLE]: JSON.stringify(handed) };
    const child = spawn(plan.file, plan.args, { cwd: plan.cwd, env, stdio: [...stdio, "ipc"] });
    if (pair) serveRequests(pair[0], bind);
    return child;
  } catch (error) {
    if (pair) closeSync(pair[0]);
    return error as Error;
  } finally {
    if (pair) closeSync(pair[1]);
  }
}
