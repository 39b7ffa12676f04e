import { type Problem, RouseError } from "../problem.ts";
import type { RunOptions } from "../run.ts";
import type { Service } from "../service.ts";
import type { RunProgram } from "./group.ts";
import type { ProgramBuilder } from "./program.ts";
import type { Session } from "./session.ts";
import type { Subject } from "./subject.ts";
import { type Watcher, type WatchOptions, watchFiles, watchPaths } from "./watch.ts";

/** What is started, and made anew when something that it is made of changes. */
export interface ProgramSource extends AsyncDisposable {
  /** As it was made last. */
  readonly current: RunProgram;
  /** Makes it for the first time. @returns false where that failed, and a change may mend it @throws {RouseError} where none would */
  prepare(): Promise<boolean>;
  /** From now on each change restarts the session. */
  watch(session: Session): void;
}

export async function makeProgram(subject: Subject, folder: string, options: RunOptions): Promise<ProgramSource> {
  const { service, command, cwd } = subject;
  if (!service) return foreignProgram(command, cwd, options);
  return serviceProgram(service, await createBuilder(service, folder, options), options);
}

// --- internal ---

/** What bundles is loaded only where it is needed: it takes longer than the rest of a start. */
async function createBuilder(service: Service, folder: string, options: RunOptions): Promise<ProgramBuilder> {
  if (options.sandbox) return (await import("./sandbox-program.ts")).createSandboxProgram(service, folder);
  return (await import("./program.ts")).createProgramBuilder(service, folder, options);
}

function serviceProgram(service: Service, builder: ProgramBuilder, options: RunOptions): ProgramSource {
  const { emit } = options;
  const watchers: Watcher[] = [];
  let current: RunProgram | undefined;
  /** When the last build began, by Date.now(): what was saved meanwhile may not be in it. */
  let builtFrom = Date.now();

  async function build(): Promise<void> {
    const since = performance.now();
    builtFrom = Date.now();
    const { command, usesRuntime, warnings } = await builder.build();
    current = { command: [...command, ...service.args], drains: usesRuntime, reports: service.exec === undefined };
    emit({ event: "built", ms: performance.now() - since, warnings });
  }

  /** @returns whether there is a program now that was made of what is on disk */
  async function rebuild(keepsServing: boolean): Promise<boolean> {
    try {
      await build();
      return true;
    } catch (error) {
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
    watch(session) {
      if (!options.watch) return;
      const changed = oneAtATime(async (files: readonly string[]) => {
        emit({ event: "changed", files });
        if (files.some((file) => service.readFrom.includes(file)))
          emit({ event: "warning", problem: definitionChanged });
        const isBuilt = await rebuild(session.pids.length > 0);
        watcher.update(builder.files(), builtFrom);
        if (isBuilt) await session.restart(files);
      });
      const watching = { since: builtFrom, ...mayMiss(options) };
      const watcher = watchFiles(builder.files(), changed, watching);
      watchers.push(watcher);
      if (options.watchPaths.length === 0) return;
      watchers.push(watchPaths(options.watchPaths, changed, watching));
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
    current: { command: command!, drains: false, reports: false },
    prepare: async () => true,
    watch(session) {
      if (!options.watch) return;
      const paths = options.watchPaths.length > 0 ? options.watchPaths : [cwd];
      watcher = watchPaths(
        paths,
        oneAtATime(async (files) => {
          options.emit({ event: "changed", files });
          await session.restart(files);
        }),
        { since, ...mayMiss(options) },
      );
    },
    async [Symbol.asyncDispose]() {
      await watcher?.close();
    },
  };
}

/** What comes while the work is going on is done together, after it. */
function oneAtATime(work: (files: readonly string[]) => Promise<void>): (files: readonly string[]) => void {
  let waiting: Set<string> | undefined;
  let isBusy = false;
  return async function add(files) {
    waiting = new Set([...(waiting ?? []), ...files]);
    if (isBusy) return;
    isBusy = true;
    while (waiting) {
      const these = [...waiting];
      waiting = undefined;
      await work(these);
    }
    isBusy = false;
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
