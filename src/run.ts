import { RouseError } from "./problem.ts";
import { prepareEnvironment } from "./run/environment/environment.ts";
import type { RunEvent } from "./run/events.ts";
import { createPoller } from "./run/polling/poller.ts";
import type { Exit } from "./run/processes/child.ts";
import { startGuardian } from "./run/processes/guardian.ts";
import { makeProgram, type ProgramSource } from "./run/program/run-program.ts";
import { type ContextRequest, makeContext } from "./run/run-context.ts";
import { makeRunFolder } from "./run/run-folder.ts";
import type { SandboxRequest } from "./run/sandbox/sandbox.ts";
import { createSession, type Session } from "./run/session.ts";
import { openSockets } from "./run/sockets/open-sockets.ts";
import { shownSockets } from "./run/sockets/shown-sockets.ts";
import { wantedSockets } from "./run/sockets/wanted-sockets.ts";
import type { HandOver, WantedSocket } from "./run/sockets.ts";
import { findSubject } from "./run/subject.ts";

export interface RunOptions {
  /** Absolute path of the folder that holds the definition. */
  readonly folder: string;
  /** A program instead of the definition's: no definition is read. */
  readonly command: readonly string[] | undefined;
  readonly as: HandOver;
  /** NAME=ADDRESS each, or as systemfd spells it. */
  readonly sockets: readonly string[];
  /** NAME=PORT each. */
  readonly ports: readonly string[];
  /** A process for each connection; for a program without a definition. */
  readonly accept: boolean;
  readonly withoutPid: boolean;
  readonly lazy: boolean;
  /** Under the sandbox of the unit that would be installed, by this machine's systemd. */
  readonly sandbox: boolean;
  readonly watch: boolean;
  /** Absolute paths of files and folders to watch beside what the bundle is made of. */
  readonly watchPaths: readonly string[];
  /** As Node takes it, for example "--inspect=9229". */
  readonly inspect: string | undefined;
  /** NAME=FILE each. */
  readonly credentials: readonly string[];
  readonly environmentFile: string | undefined;
  /** The machine, for example "linux-x64". */
  readonly host: string;
  /** The user's own. */
  readonly env: NodeJS.ProcessEnv;
  /** The descriptor that the program's standard output goes to. */
  readonly stdout: number;
  /** Takes what the program writes where it does not do so itself: under the sandbox. More is read when what it gives has come. */
  readonly write: (stream: "stdout" | "stderr", chunk: Buffer) => Promise<unknown> | undefined;
  readonly emit: (event: RunEvent) => void;
  /** Calls the handler for each signal that comes to the launcher, until what it gives is called. */
  readonly onSignal: (handler: (signal: NodeJS.Signals) => void) => () => void;
}

/**
 * Runs a service from its sources, or any program, with its sockets handed over as in production.
 * @returns how the program has ended
 * @throws {RouseError} before anything is started, and nothing is left then
 */
export async function run(options: RunOptions): Promise<Exit> {
  const subject = await findSubject(options);
  await using cleanUp = new AsyncDisposableStack();
  const guardian = await startGuardian();
  cleanUp.defer(() => guardian.close());
  const folder = makeRunFolder();
  guardian.folder(folder.path);
  cleanUp.defer(() => folder.remove());

  const { env, warnings } = prepareEnvironment(subject.service, {
    ...options,
    folder: folder.path,
    environment: options.env,
  });
  const platform = options.host.startsWith("darwin") ? "darwin" : "linux";
  const wanted = options.as === "bind" ? [] : wantedSockets(subject.service, options);
  refuseNeverStarting(options, wanted);
  const { sockets, problems } = openSockets(wanted, { folder: folder.path, platform });
  cleanUp.defer(() => {
    for (const socket of sockets) socket.close();
  });
  for (const { address } of sockets) if (address.type === "unix") guardian.socket(address.path);
  for (const problem of [...subject.warnings, ...warnings, ...problems]) options.emit({ event: "warning", problem });

  const over = new AbortController();
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {}); // It is looked at below.
  const program = cleanUp.use(await makeProgram(subject, folder.path, options, over.signal));
  cleanUp.defer(() => over.abort());
  const { path } = folder;
  const session = options.sandbox
    ? await sandboxed({ ...options, service: subject.service!, folder: path, wanted, sockets, program })
    : await createOwnSession({ subject, options, env, sockets, folder: path, guardian, program }, cleanUp, fail);
  // Where something goes wrong after the start, nothing goes on without a launcher.
  cleanUp.defer(() => session.kill());
  cleanUp.defer(obeySignals(session, over, options));

  const served = serve(program, session, over.signal).then(() => session.ended);
  // Who is asked to end during the first build does not wait for it.
  return await Promise.race([served, session.ended, failed]);
}

// --- internal ---

/** Loaded only where it is asked for. */
async function sandboxed(request: SandboxRequest): Promise<Session> {
  const { createSandboxSession } = await import("./run/sandbox/sandbox.ts");
  return await createSandboxSession(request);
}

function refuseNeverStarting({ as, lazy }: RunOptions, wanted: readonly WantedSocket[]): void {
  if (wanted.length > 0 || (as !== "inetd" && !lazy)) return;
  throw new RouseError({
    code: "never-starts",
    what: `${lazy ? "with --lazy" : "as inetd would do it,"} a connection starts the program, and there is no socket`,
    mend: as === "bind" ? "leave --lazy or --as bind out" : "give it one, for example --socket http=8080",
  });
}

/** The launcher has the sockets, and starts what serves. */
async function createOwnSession(
  request: Omit<ContextRequest, "poller">,
  cleanUp: AsyncDisposableStack,
  fail: (error: unknown) => void,
): Promise<Session> {
  const { options, sockets } = request;
  const poller = createPoller(fail);
  cleanUp.defer(() => poller.close());
  const context = await makeContext({ ...request, poller });
  cleanUp.defer(() => context.close());
  options.emit({
    event: "listening",
    as: options.as,
    sockets: shownSockets(options.as, sockets, context.perConnection),
  });
  return createSession(context, sockets, options.lazy);
}

/** @throws what neither a change nor anything else of this run would mend */
async function serve(program: ProgramSource, session: Session, over: AbortSignal): Promise<void> {
  const isPrepared = await program.prepare();
  if (over.aborted) return;
  if (isPrepared) await session.begin();
  await program.watch(session);
}

/** The first request to end is passed on, the second one kills. */
function obeySignals(session: Session, over: AbortController, { emit, onSignal }: RunOptions): () => void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  return onSignal((signal) => {
    const now = performance.now();
    if (first?.signal === signal && now - first.at < ECHO) return;
    emit({ event: "signal", signal, pids: session.pids });
    if (!ENDING.has(signal)) session.signal(signal);
    else if (first) session.kill();
    else {
      first = { signal, at: now };
      over.abort();
      session.stop(signal);
    }
  });
}

/**
 * Milliseconds. One Ctrl-C comes twice where npm or timeout(1) passes on what the terminal, or a signal to the whole process
 * group, has told everybody.
 */
const ECHO = 100;

const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGTERM", "SIGQUIT"]);
