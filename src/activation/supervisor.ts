/** The main process of a service with workers: keeps the sockets, starts and replaces workers, speaks to the manager. Serves nothing. */
import { isatty } from "node:tty";
import type { Manager } from "../../systemd/notify.ts";
import { type Generation, startGeneration } from "./generation.ts";
import { print } from "./report.ts";
import { type Share, sharedSockets } from "./shared-sockets.ts";
import { leave, stopOn } from "./stop.ts";
import { keepWatchdog } from "./watchdog.ts";
import type { WorkerEnd, WorkerPlan } from "./worker-process.ts";

export interface SupervisorOptions {
  /** How many workers; asked at each start of all. */
  readonly count: () => number;
  readonly plan: WorkerPlan;
  readonly manager: Manager;
  /** Milliseconds that workers have to end in. */
  readonly deadline: number;
}

/** Runs until the process ends: by SIGTERM or SIGINT, when all workers are idle, or when none can be kept alive. */
export function runSupervisor({ count, plan, manager, deadline }: SupervisorOptions): void {
  const shared = sharedSockets();
  /** Of all that have workers left, which may be answering their last requests. */
  const shares = new Map<Generation, Share>();
  const retired = new Set<Promise<void>>();
  let current: Generation | undefined;
  let next: Generation | undefined;
  let stopped: Promise<void> | undefined;
  let reloadWanted = false;
  let lost: WorkerEnd | undefined;
  /** Of the last reload, of the last worker that said one, and the whole as it was told last. */
  const status = { reload: "", worker: "", told: "" };

  process.on("exit", () => {
    for (const generation of shares.keys()) generation.kill();
  });
  stopOn(["SIGTERM", "SIGINT"], stop);
  reloadOn("SIGHUP");
  keepWatchdog(manager);
  void start();

  async function start(): Promise<void> {
    const failed = await startNext();
    if (failed) end(failed);
    else tellStatus("READY=1");
    if (reloadWanted) await reload();
  }

  function reloadOn(signal: "SIGHUP"): void {
    const terminal = [0, 1, 2].find((fd) => isatty(fd));
    process.on(signal, () => {
      // A terminal that was closed sends it too, and is none any more.
      if (terminal !== undefined && !isatty(terminal)) leave();
      else void reload();
    });
  }

  async function reload(): Promise<void> {
    reloadWanted = true;
    if (stopped || !current) return;
    reloadWanted = false;
    status.reload = "the version on disk starts";
    // sd_notify(3): it has to be the CLOCK_MONOTONIC, which is what hrtime reads. Said again for a reload during a reload.
    tellStatus("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    const failed = await startNext();
    status.reload = failed ? `reload failed: ${failed.what}; the version before goes on serving` : "";
    if (failed) print(`warning: ${status.reload}`);
    tellStatus("READY=1");
    if (failed && lost) end(lost);
  }

  /**
   * Starts a generation from the path on disk, which takes the place of the present one when all of it is ready.
   * Gives the end of the worker that did not get ready, if one did not; does not return where another start or the stop comes first.
   */
  async function startNext(): Promise<WorkerEnd | undefined> {
    if (next) retire(next); // There is something newer on disk.
    const share = shared.share();
    const generation = startGeneration(count(), plan, { changed, told, lost: fail, binder: share.binder });
    shares.set(generation, share);
    next = generation;
    const failed = await generation.started;
    next = undefined;
    if (failed) retire(generation);
    else {
      if (current) retire(current);
      [current, lost] = [generation, undefined];
    }
    return failed;
  }

  function retire(generation: Generation): void {
    const end = generation.stop(deadline).then(() => {
      shares.delete(generation);
      retired.delete(end);
      if (current && !next) shared.keep(shares.get(current)!);
    });
    retired.add(end);
  }

  function changed(): void {
    if (stopped || !current) return;
    if (current.ready > 0) lost = undefined;
    if (current.isIdle && !next) leave();
    else if (describe() !== status.told) tellStatus();
  }

  function told(assignment: string): void {
    const [, text] = assignment.split("STATUS=", 2);
    if (text === undefined) manager.tell(assignment);
    else status.worker = text;
    changed();
  }

  function tellStatus(...before: readonly string[]): void {
    status.told = describe();
    manager.tell(...before, `STATUS=${status.told}`);
  }

  function describe(): string {
    const serving = current ? `${current.ready} of ${current.count} workers serve` : "";
    return [serving, status.reload, status.worker].filter(Boolean).join("; ");
  }

  function fail(last: WorkerEnd): void {
    lost = last;
    if (!next) end(last);
  }

  /** The manager, if there is one, starts the service again, with a delay of its own. */
  function end({ what, code }: WorkerEnd): void {
    // What a program itself ends with needs no word of ours, as if it ran alone.
    if (code === null) print(what);
    process.exitCode = code ?? 1;
    leave();
  }

  function stop(): Promise<void> {
    stopped ??= (async () => {
      manager.tell("STOPPING=1");
      for (const generation of [current, next]) if (generation) retire(generation);
      current = next = undefined;
      await Promise.all(retired);
      shared.close();
    })();
    return stopped;
  }
}
