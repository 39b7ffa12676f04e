import { setTimeout as sleep } from "node:timers/promises";
import { type Problem, RouseError } from "../../problem.ts";
import type { RunEvent, StartCause } from "../events.ts";
import type { Exit } from "../processes/child.ts";
import type { Session } from "../session.ts";
import { shownSockets } from "../sockets/shown-sockets.ts";
import type { OpenSocket } from "../sockets.ts";
import { DenialReader } from "./denial-reader.ts";
import { RunUnits, type RunUnitsOptions } from "./run-units.ts";
import { notApplied } from "./sandbox-check.ts";
import { notAppliedProblem, uncheckedProblem, unusualEnd } from "./sandbox-problems.ts";

export interface SandboxContext extends RunUnitsOptions {
  /** Of the launcher, which closes them when systemd is about to open its own. */
  readonly sockets: readonly OpenSocket[];
  readonly lazy: boolean;
  /** A change starts what has crashed. */
  readonly watch: boolean;
  readonly emit: (event: RunEvent) => void;
  readonly write: (stream: "stdout" | "stderr", chunk: Buffer) => Promise<unknown> | undefined;
}

/** The life of a program that systemd starts and ends, with the same rules as that of one which the launcher starts. */
export class SandboxSession implements Session {
  readonly #context: SandboxContext;
  readonly #ended = Promise.withResolvers<Exit>();
  #units: RunUnits | undefined;
  #reader: DenialReader | undefined;
  /** The present step of whoever begins or restarts. */
  #work: Promise<unknown> = Promise.resolve();
  /** What is heard of the units is dealt with one after the other. */
  #heard: Promise<void> = Promise.resolve();
  #isStopping = false;
  /** The program is stopped so that another one can take its place. */
  #isRestarting = false;
  #current: { readonly pid: number; readonly since: number } | undefined;
  #lastExit: Exit = { code: 0, signal: null };
  #lastPid = 0;
  #failures = 0;
  #isChecked = false;
  #cause: StartCause;
  #retry: NodeJS.Timeout | undefined;

  constructor(context: SandboxContext) {
    this.#context = context;
    this.#cause = context.lazy ? "connection" : "start";
  }

  get pids(): readonly number[] {
    return this.#current ? [this.#current.pid] : [];
  }

  get ended(): Promise<Exit> {
    return this.#ended.promise;
  }

  async begin(): Promise<void> {
    if (this.#isStopping) return;
    const work = this.#open();
    this.#work = work.catch(() => {});
    await work;
    this.#go();
  }

  async restart(): Promise<void> {
    if (this.#isStopping) return;
    if (!this.#units) return await this.begin().catch(this.#fail);
    clearTimeout(this.#retry);
    this.#failures = 0;
    this.#reader?.forget();
    if (!this.#context.lazy) this.#cause = "change";
    await this.#units.update();
    this.#isRestarting = true;
    // Also where nothing seems to run: a connection may just have started it.
    await this.#units.stopProgram();
    await this.#hearsItsEnd();
    this.#isRestarting = false;
    this.#go();
  }

  signal(signal: NodeJS.Signals): void {
    void this.#units?.signal(signal, "main");
  }

  stop(): void {
    if (this.#isStopping) return;
    this.#end().then(() => this.#ended.resolve(this.#lastExit), this.#ended.reject);
  }

  kill(): void {
    void this.#units?.signal("SIGKILL", "all");
    this.stop();
  }

  async #open(): Promise<void> {
    const { emit, sockets, service } = this.#context;
    this.#units = await RunUnits.install(this.#context, {
      chunk: (stream, chunk) => {
        this.#reader?.read(stream, chunk);
        return this.#context.write(stream, chunk);
      },
      said: (words) => {
        const at = performance.now();
        this.#heard = this.#heard.then(() => this.#hear(words, at)).catch(this.#fail);
      },
    });
    this.#reader = new DenialReader({ unit: this.#units.service, root: service.root }, this.#warn);
    for (const socket of sockets) socket.close();
    try {
      await this.#units.openSockets();
    } catch (error) {
      await this.#units.remove();
      throw error;
    }
    emit({ event: "listening", as: "systemd", sockets: shownSockets("systemd", sockets, { onStdin: false }) });
    if (this.#units.unchecked.length > 0) this.#warn(uncheckedProblem(this.#units.unchecked));
  }

  /** From now on the program may be started. */
  #go(): void {
    const { emit, lazy } = this.#context;
    if (this.#isStopping) return;
    if (lazy) {
      this.#units!.release();
      emit({ event: "waiting", for: "connection" });
    } else this.#units!.startProgram().catch(this.#startFailed);
  }

  async #end(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#retry);
    await this.#work;
    await this.#units?.stop();
    await this.#hearsItsEnd();
    await this.#units?.remove();
  }

  /** systemd has ended it; its helper says how a little later. */
  async #hearsItsEnd(): Promise<void> {
    await sleep(50);
    await this.#heard;
    for (let tries = 0; this.#current && tries < 40; tries++) await sleep(50);
  }

  async #hear([what, ...words]: readonly string[], at: number): Promise<void> {
    if (what === "start") {
      const pid = await this.#newPid();
      if (pid === undefined) return;
      this.#lastPid = pid;
      this.#current = { pid, since: at };
      this.#context.emit({ event: "started", pid, cause: this.#cause });
      this.#cause = "connection";
      this.#watchStart(pid).catch(this.#fail);
    } else if (what === "exited" && (this.#current || isFailure(words))) {
      await this.#exited(this.#current ?? { pid: 0, since: at }, words);
    }
  }

  /** The process is made when what comes before it has ended. */
  async #newPid(): Promise<number | undefined> {
    for (let tries = 0; tries < 40; tries++) {
      const { ExecMainPID } = await this.#units!.show("ExecMainPID");
      const pid = Number(ExecMainPID);
      if (pid > 0 && pid !== this.#lastPid) return pid;
      await sleep(25);
    }
    return undefined;
  }

  /** systemd tells nobody that a service is ready, but when it was. */
  async #watchStart(pid: number): Promise<void> {
    const units = this.#units!;
    for (let pause = 25; this.#current?.pid === pid; pause = Math.min(pause * 1.5, 500)) {
      const shown = await units.show("ActiveState", "ActiveEnterTimestampMonotonic", "ExecMainStartTimestampMonotonic");
      if (this.#current?.pid !== pid) return;
      if (shown.ActiveState === "active") {
        const ms = Number(shown.ActiveEnterTimestampMonotonic) - Number(shown.ExecMainStartTimestampMonotonic);
        if (units.notifies) this.#context.emit({ event: "ready", pid, ms: ms / 1000 });
        this.#check(pid);
        return;
      }
      await sleep(pause);
    }
  }

  #check(pid: number): void {
    const missing = (!this.#isChecked && notApplied(this.#units!.service, pid)) || [];
    if (missing.length > 0) this.#warn(notAppliedProblem(missing));
    this.#isChecked = true;
  }

  async #exited(
    { pid, since }: { readonly pid: number; readonly since: number },
    [result = "", how, status = ""]: readonly string[],
  ): Promise<void> {
    const units = this.#units!;
    const ms = performance.now() - since;
    const exit: Exit =
      how === "exited"
        ? { code: Number(status), signal: null }
        : { code: null, signal: `SIG${status}` as NodeJS.Signals };
    await units.drained();
    this.#reader?.end();
    this.#current = undefined;
    this.#lastExit = exit;
    const wasAsked = this.#isStopping || this.#isRestarting;
    this.#context.emit({ event: "exited", pid, ...exit, ms, wasAsked });
    const problem = await unusualEnd(result, exit, units.service, () => units.journal());
    if (problem) this.#warn(problem);
    if (!wasAsked) this.#afterExit(exit.code !== 0, ms);
  }

  #afterExit(failed: boolean, lived: number): void {
    const { emit, watch, lazy } = this.#context;
    if (watch && (failed || !lazy)) emit({ event: "waiting", for: "change" });
    else if (lazy) this.#retryAfter(lived);
    else this.stop();
  }

  /** systemd starts it at the next connection, or at once where the last one is still there: after a while, then. */
  #retryAfter(lived: number): void {
    const { emit } = this.#context;
    this.#failures = lived < QUICK ? this.#failures + 1 : 0;
    const ms = this.#failures === 0 ? 0 : Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1));
    if (ms > 0) emit({ event: "waiting", for: "retry", ms });
    else emit({ event: "waiting", for: "connection" });
    this.#retry = setTimeout(() => this.#units!.release(), ms);
  }

  readonly #warn = (problem: Problem): void => this.#context.emit({ event: "warning", problem });

  /** In a watched run a later change may mend it. */
  readonly #startFailed = (error: unknown): void => {
    if (!this.#context.watch || !(error instanceof RouseError)) {
      this.#fail(error);
      return;
    }
    for (const problem of error.problems) this.#warn(problem);
    this.#context.emit({ event: "waiting", for: "change" });
  };

  readonly #fail = (error: unknown): void => {
    const reject = (): void => this.#ended.reject(error);
    this.#end().then(reject, reject);
  };
}

/** systemd could not make a process; where it was told to stop before, it says nothing or "success". */
const isFailure = ([result = ""]: readonly string[]): boolean => result !== "" && result !== "success";

/** Milliseconds, as without a sandbox. */
const QUICK = 1000;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 5000;
