/** The workers of one version: started together, kept at their number, stopped together. */
import type { BindHook } from "./bind-requests.ts";
import { print } from "./report.ts";
import { startWorker, type WorkerEnd, type WorkerPlan, type WorkerProcess } from "./worker-process.ts";

export interface Generation {
  readonly count: number;
  /**
   * Resolves when all are ready, or with the end of one that ended before it was. Does not resolve where stop comes first.
   */
  readonly started: Promise<WorkerEnd | undefined>;
  /** How many are ready. */
  readonly ready: number;
  readonly isIdle: boolean;
  /** Ends all, by SIGTERM and after `deadline` milliseconds by SIGKILL. Resolves when none is left. */
  stop(deadline: number): Promise<void>;
  kill(): void;
}

export interface GenerationHooks {
  /** Their number, or what they are doing, is another. */
  changed(): void;
  told(assignment: string): void;
  /** For one worker each. */
  binder(): BindHook;
  /** None is left, and the one that was to replace the last did not get ready. */
  lost(end: WorkerEnd): void;
}

/**
 * Starts one worker, and when it is ready the others: a version that does not start is told once, and the first request
 * need not share the processors with all of them.
 */
export function startGeneration(count: number, plan: WorkerPlan, hooks: GenerationHooks): Generation {
  const workers = new Set<WorkerProcess>();
  const waiting = new Set<NodeJS.Timeout>();
  let state: "starting" | "serving" | "ending" = "starting";
  let hasOthers = false;
  let settle: (failed?: WorkerEnd) => void;

  /** @param shortLives how many before it in its place have ended soon, one after the other */
  function add(shortLives: number): void {
    const worker = startWorker(plan, {
      ready() {
        if (!hasOthers) for (let other = 1; other < count; other++) add(0);
        hasOthers = true;
        if (state === "starting" && allReady()) settle();
        hooks.changed();
      },
      idle: hooks.changed,
      told: hooks.told,
      bind: hooks.binder(),
      ended(end) {
        workers.delete(worker);
        if (state === "starting" && !end.wasReady) settle(end);
        else if (state !== "ending") replace(end, shortLives);
      },
    });
    workers.add(worker);
  }

  function replace(end: WorkerEnd, shortLives: number): void {
    const before = end.lived < LONG_LIFE ? shortLives : 0;
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** before);
    print(`warning: ${end.what}; another one starts in ${delay / 1000} s`);
    if (workers.size === 0 && !end.wasReady) hooks.lost(end);
    if (state === "ending") return;
    const timer = setTimeout(() => {
      waiting.delete(timer);
      add(before + 1);
    }, delay);
    waiting.add(timer);
    hooks.changed();
  }

  const allReady = () => workers.size === count && [...workers].every(({ isReady }) => isReady);

  const started = new Promise<WorkerEnd | undefined>((resolve) => {
    settle = (failed) => {
      state = failed ? "ending" : "serving";
      resolve(failed);
    };
    add(0);
  });

  return {
    count,
    started,
    get ready() {
      return [...workers].filter(({ isReady }) => isReady).length;
    },
    get isIdle() {
      return state === "serving" && allReady() && [...workers].every(({ isIdle }) => isIdle);
    },
    async stop(deadline) {
      state = "ending";
      for (const timer of waiting) clearTimeout(timer);
      await Promise.all([...workers].map((worker) => worker.stop(deadline)));
    },
    kill() {
      for (const worker of workers) worker.kill();
    },
  };
}

// --- internal ---

// Milliseconds. The delay doubles with each worker in a row that did not live long.
const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;
const LONG_LIFE = 10_000;
