import { type Problem, RouseError } from "../../problem.ts";
import type { RunOptions } from "../../run.ts";
import type { Service } from "../../service.ts";
import type { RunProgram } from "../processes/group.ts";
import type { Session } from "../session.ts";
import type { Subject } from "../subject.ts";
import { type Watcher, type WatchOptions, watchFiles, watchPaths } from "../watch/watch.ts";
import type { ProgramBuilder } from "./program.ts";

/** What is started, and made anew when something that it is made of changes. */
export interface ProgramSource extends AsyncDisposable {
  /** As it was made last. */
  readonly current: RunProgram;
  /** Makes it for the first time. @returns false where that failed, and a change may mend it @throws {RouseError} where none would */
  prepare(): Promise<boolean>;
  /** From now on each change restarts the session. Never resolves while it watches. @throws what no change would mend */
  watch(session: Session): Promise<void>;
}

/** @param over when nobody wants it any more: what is being made is broken off, and that is no failure */
export async function makeProgram(
  subject: Subject,
  folder: string,
  options: RunOptions,
  over: AbortSignal,
): Promise<ProgramSource> {
  const { service, command, cwd } = subject;
  if (!service) return foreignProgram(command, cwd, options);
  return serviceProgram(service, await createBuilder(service, folder, options), options, over);
}

// --- internal ---

/** What bundles is loaded only where it is needed: it takes longer than the rest of a start. */
async function createBuilder(service: Service, folder: string, options: RunOptions): Promise<ProgramBuilder> {
  if (options.sandbox) return (await import("../sandbox/sandbox-program.ts")).createSandboxProgram(service, folder);
  return (await import("./program.ts")).createProgramBuilder(service, folder, options);
}

function serviceProgram(
  service: Service,
  builder: ProgramBuilder,
  options: RunOptions,
  over: AbortSignal,
): ProgramSource {
  const { emit } = options;
  const watchers: Watcher[] = [];
  let current: RunProgram | undefined;
  /** When the last build began, by Date.now(): what was saved meanwhile may not be in it. */
  let builtFrom = Date.now();

  async function build(): Promise<void> {
    const since = performance.now();
    builtFrom = Date.now();
    const { command, usesRuntime, warnings } = await builder.build();
    // The debugger's port is free for the next one only when this one has ended.
    const drains = usesRuntime && options.inspect === undefined;
    const isBundled = service.exec === undefined;
    // A debugger has one port, which the process before still has.
    const waits = isBundled && options.inspect === undefined;
    current = { command: [...command, ...service.args], drains, reports: isBundled, waits };
    emit({ event: "built", ms: performance.now() - since, warnings });
  }

  /** @returns whether there is a program now that was made of what is on disk */
  async function rebuild(keepsServing: boolean): Promise<boolean> {
    try {
      await build();
      return true;
    } catch (error) {
      if (over.aborted) return false;
      if (!(error instanceof RouseError)) throw error;
      emit({ event: "build-failed", problems: error.problems, keepsServing });
      if (!keepsServing) emit({ event: "waiting", for: "change" });
      return false;
    }
  }

  return {
    get current() {
      return current!;
    },
    async prepare() {
      if (options.watch) return await rebuild(false);
      await build();
      return true;
    },
    async watch(session) {
      if (!options.watch) return;
      const fault = Promise.withResolvers<never>();
      const changed = oneAtATime(async (files: readonly string[]) => {
        if (over.aborted) return;
        emit({ event: "changed", files });
        if (files.some((file) => service.readFrom.includes(file)))
          emit({ event: "warning", problem: definitionChanged });
        const isBuilt = await rebuild(session.pids.length > 0);
        watcher.update(builder.files(), builtFrom);
        if (isBuilt) await session.restart();
      }, fault.reject);
      const watching = { since: builtFrom, ...mayMiss(options) };
      const watcher = watchFiles(builder.files(), changed, watching);
      watchers.push(watcher);
      if (options.watchPaths.length > 0) watchers.push(watchPaths(options.watchPaths, changed, watching));
      await fault.promise;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(watchers.map((watcher) => watcher.close()));
      await builder[Symbol.asyncDispose]();
    },
  };
}

function foreignProgram(command: Subject["command"], cwd: string, options: RunOptions): ProgramSource {
  let watcher: Watcher | undefined;
  const since = Date.now();
  return {
    current: { command: command!, drains: false, reports: false, waits: false },
    prepare: async () => true,
    async watch(session) {
      if (!options.watch) return;
      const fault = Promise.withResolvers<never>();
      const paths = options.watchPaths.length > 0 ? options.watchPaths : [cwd];
      watcher = watchPaths(
        paths,
        oneAtATime(async (files) => {
          options.emit({ event: "changed", files });
          await session.restart();
        }, fault.reject),
        { since, ...mayMiss(options) },
      );
      await fault.promise;
    },
    async [Symbol.asyncDispose]() {
      await watcher?.close();
    },
  };
}

/** What comes while the work is going on is done together, after it. */
function oneAtATime(
  work: (files: readonly string[]) => Promise<void>,
  failed: (error: unknown) => void,
): (files: readonly string[]) => void {
  let waiting: Set<string> | undefined;
  let isBusy = false;
  async function workOff(): Promise<void> {
    isBusy = true;
    while (waiting) {
      const these = [...waiting];
      waiting = undefined;
      await work(these);
    }
    isBusy = false;
  }

  return (files) => {
    waiting = new Set([...(waiting ?? []), ...files]);
    if (!isBusy) workOff().catch(failed);
  };
}

const mayMiss = ({ emit }: RunOptions): WatchOptions => ({
  onError({ code, message }) {
    const mend =
      code === "ENOSPC"
        ? "allow more: sysctl fs.inotify.max_user_watches=524288"
        : "start `rouse run` again when it is mended, or restart by hand";
    emit({ event: "warning", problem: { code: "not-watched", what: `changes may be missed: ${message}`, mend } });
  },
});

const definitionChanged: Problem = {
  code: "definition-changed",
  what: "the definition has changed: its sockets, environment and directories are those of the start of this run",
  mend: "start `rouse run` again to have the new ones",
};
