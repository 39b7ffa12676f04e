import { closeSync } from "node:fs";
import type { StandInSockets } from "../../launchd/stand-in/job.ts";
import { writeStandIn } from "../../launchd/stand-in.ts";
import type { RunOptions } from "../run.ts";
import type { Target } from "../service.ts";
import { openNotifySocket } from "./manager/notify-socket.ts";
import type { ServiceState } from "./manager/service-state.ts";
import type { Poller } from "./polling/poller.ts";
import type { RunContext } from "./processes/group.ts";
import type { Guardian } from "./processes/guardian.ts";
import { descriptorOf } from "./processes/hand-over.ts";
import type { ProgramSource } from "./program/run-program.ts";
import type { OpenSocket } from "./sockets.ts";
import type { Subject } from "./subject.ts";

export interface ContextRequest {
  readonly subject: Subject;
  readonly options: RunOptions;
  readonly env: NodeJS.ProcessEnv;
  readonly sockets: readonly OpenSocket[];
  readonly folder: string;
  readonly guardian: Guardian;
  readonly poller: Poller;
  readonly program: ProgramSource;
}

/** What the processes of a run have in common. */
export async function makeContext(request: ContextRequest): Promise<RunContext & { close(): void }> {
  const { subject, options, env, guardian, poller, program } = request;
  const { service } = subject;
  const { connection } = service ?? {};
  const stops: (() => void)[] = [];
  const notify = options.as === "systemd" ? openNotify(request, stops) : undefined;
  const standIn = options.as === "launchd" ? await launchdVariables(request) : {};
  return {
    as: options.as,
    program: () => program.current,
    cwd: subject.cwd,
    env: { ...env, ...standIn },
    // A service has none. A program that somebody tries may read what is typed.
    streams: [service ? "ignore" : 0, options.stdout, 2],
    guardian,
    poller,
    emit: options.emit,
    stopTimeout: (service?.stopTimeout ?? STOP_TIMEOUT) * 1000,
    watchdog: service?.watchdog === undefined || !notify ? undefined : service.watchdog * 1000,
    withoutPid: options.withoutPid,
    isWatching: options.watch,
    notify,
    perConnection: {
      onStdin: connection?.stdin === "socket",
      stderrToo: connection?.stderr === "socket",
      ignoreExit: connection?.ignoreExit ?? false,
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}

// --- internal ---

/** Seconds: as in a definition that says nothing. */
const STOP_TIMEOUT = 20;

function openNotify(
  { folder, poller, options, guardian }: ContextRequest,
  stops: (() => void)[],
): RunContext["notify"] {
  const states = new Map<number, ServiceState>();
  const strangers = new Set<string>();
  const socket = openNotifySocket(folder, poller, (notification) => {
    const { pid } = notification;
    const state = states.get(pid);
    if (state) {
      state.receive(notification);
      return;
    }
    closeAll(notification.fds);
    // A shell script that calls systemd-notify(1) does so with a new process each time.
    const keys = Object.keys(notification.message);
    if (strangers.has(keys.join()) || strangers.size === MOST_STRANGERS) return;
    strangers.add(keys.join());
    options.emit({ event: "warning", problem: notMain(pid, keys) });
  });
  if (!socket) return undefined;
  guardian.socket(socket.path);
  stops.push(() => socket.close());
  return {
    socket,
    attach(child, state) {
      states.set(child.pid, state);
      void child.exited.then(() => {
        socket.readNow();
        // Another process may soon have its id.
        states.delete(child.pid);
      });
    },
  };
}

/** Messages of other processes that are warned of. */
const MOST_STRANGERS = 8;

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

function notMain(pid: number, keys: readonly string[]) {
  return {
    code: "not-main-process",
    what: `process ${pid}, which is not the service's main process, tells ${keys.join(", ")}: systemd would not listen to it (NotifyAccess=main)`,
    mend: "let the main process tell it; in a program that starts the server as its child, that is the child",
  };
}

/** As a job whose names these are; the descriptors are those of the child. */
async function launchdVariables({
  sockets,
  folder,
  options,
  subject,
  env,
}: ContextRequest): Promise<Record<string, string>> {
  const shared = sockets.filter(({ accept }) => accept === undefined);
  const names = Object.groupBy(shared, ({ name }) => name);
  const places = (list: readonly OpenSocket[] = []): StandInSockets[string] =>
    list.map((socket) => ({ fd: socket.fd, descriptor: descriptorOf("launchd", shared.indexOf(socket), false)! }));
  const standIn = await writeStandIn(folder, {
    target: options.host as Target,
    label: subject.service?.name ?? "rouse.run",
    sockets: Object.fromEntries(Object.entries(names).map(([name, list]) => [name, places(list)])),
    env,
  });
  return standIn.env;
}
