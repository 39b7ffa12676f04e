import type { RunEvent } from "../events.ts";
import type { NotifySocket } from "../manager/notify-socket.ts";
import type { ServiceState } from "../manager/service-state.ts";
import type { Poller } from "../polling/poller.ts";
import type { HandOver, OpenSocket } from "../sockets.ts";
import type { Child, Exit } from "./child.ts";
import type { Guardian } from "./guardian.ts";

/** Sockets that are served together, and the processes that do so: what one unit of systemd's, or one line of inetd.conf, is. */
export interface Group {
  readonly sockets: readonly OpenSocket[];
  /** Starts the first process, or waits for the first connection. @throws {RouseError} not-started */
  begin(): Promise<void>;
  /** The program has changed: processes that serve many connections give way to new ones. */
  restart(): Promise<void>;
  /** Passed on, and nothing else. */
  signal(signal: NodeJS.Signals): void;
  /** Nothing is started any more; what runs is asked to end by this signal, and killed when its time is over. */
  stop(signal: NodeJS.Signals): void;
  /** At once. */
  kill(): void;
  readonly pids: readonly number[];
  /** Nothing of it runs, and nothing will be started again. @throws {RouseError} not-started */
  readonly ended: Promise<Exit>;
}

/** What the processes of a run have in common. */
export interface RunContext {
  readonly as: HandOver;
  /** What to start: another one after each change. */
  readonly program: () => RunProgram;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly streams: readonly [stdin: number | "ignore", stdout: number, stderr: number];
  readonly guardian: Guardian;
  readonly poller: Poller;
  readonly emit: (event: RunEvent) => void;
  /** Milliseconds between the request to end and the kill. */
  readonly stopTimeout: number;
  /** Milliseconds; systemd only. */
  readonly watchdog: number | undefined;
  readonly withoutPid: boolean;
  /** A change starts what has crashed. */
  readonly isWatching: boolean;
  /** Only under systemd, and where the system has such sockets. */
  readonly notify: { readonly socket: NotifySocket; attach(child: Child, state: ServiceState): void } | undefined;
  /** Of a process for one connection (systemd.service(5)). */
  readonly perConnection: { readonly onStdin: boolean; readonly stderrToo: boolean; readonly ignoreExit: boolean };
}

export interface RunProgram {
  readonly command: readonly [string, ...string[]];
  /** It ends by itself, and answers what it has accepted, when it is asked to end. */
  readonly drains: boolean;
  /** It tells through a pipe when its first answer goes out (ROUSE_RUN_REPORT). */
  readonly reports: boolean;
  /** It can be started, and begin later (ROUSE_RUN_GATE). */
  readonly waits: boolean;
}
