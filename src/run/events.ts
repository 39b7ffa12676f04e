import type { Problem } from "../problem.ts";
import type { HandOver, OpenSocket } from "./sockets.ts";

/** What happens in a run, as data: the CLI shows it to a person, or prints it as one JSON document a line. Times are milliseconds. */
export type RunEvent =
  | { readonly event: "listening"; readonly as: HandOver; readonly sockets: readonly ShownSocket[] }
  | { readonly event: "changed"; readonly files: readonly string[] }
  | { readonly event: "built"; readonly ms: number; readonly warnings: readonly string[] }
  | { readonly event: "build-failed"; readonly problems: readonly Problem[]; readonly keepsServing: boolean }
  | { readonly event: "started"; readonly pid: number; readonly cause: StartCause; readonly socket?: string }
  | { readonly event: "ready"; readonly pid: number; readonly ms: number }
  | { readonly event: "status"; readonly pid: number; readonly text: string }
  | { readonly event: "reloading"; readonly pid: number }
  | { readonly event: "reloaded"; readonly pid: number; readonly ms: number }
  | { readonly event: "stopping"; readonly pid: number }
  | { readonly event: "watchdog"; readonly pid: number; readonly kept: boolean; readonly ms: number }
  | { readonly event: "stored"; readonly pid: number; readonly name: string; readonly count: number }
  | { readonly event: "first-byte"; readonly pid: number; readonly ms: number }
  | { readonly event: "accepted"; readonly pid: number; readonly socket: string; readonly peer: string }
  | { readonly event: "refused"; readonly socket: string; readonly peer: string; readonly limit: string }
  | ExitedEvent
  | { readonly event: "waiting"; readonly for: "change" | "connection" | "retry"; readonly ms?: number }
  | { readonly event: "signal"; readonly signal: NodeJS.Signals; readonly pids: readonly number[] }
  | { readonly event: "warning"; readonly problem: Problem };

/** Why a process was started. */
export type StartCause = "start" | "connection" | "change";

export interface ShownSocket extends Pick<OpenSocket, "name" | "url" | "address" | "insteadOf" | "type"> {
  /** The descriptor that the program finds it on; none where it is told otherwise (bind). */
  readonly descriptor: number | undefined;
  readonly accept: boolean;
}

export interface ExitedEvent {
  readonly event: "exited";
  readonly pid: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** How long it had lived. */
  readonly ms: number;
  /** Of a process for one connection. */
  readonly socket?: string;
  /** It had been asked to end, by a signal to the launcher or since another process takes its place. */
  readonly wasAsked: boolean;
  /** The definition says that no exit code is a failure. */
  readonly isIgnored?: true;
}
