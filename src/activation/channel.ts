/** What a worker and its supervisor say to each other. Messages go over Node's own channel, requests over a socket pair. */
import type { Address } from "./address.ts";
import type { Source } from "./choose.ts";

/** The variable by which a worker knows that it is one, and what it was given. */
export const WORKER_VARIABLE = "ROUSE_WORKER";

/** Another number where either side would not understand the other: after an upgrade they are of different versions. */
export const PROTOCOL = 1;

/** The content of the variable, as JSON. */
export interface Handed {
  readonly protocol: number;
  /** Where the supervisor has the sockets from. */
  readonly source: Source;
  readonly sockets: readonly { readonly name: string; readonly fd: number }[];
  /** Descriptor of the worker's end of the pair that takes BindRequests; undefined where nothing can be bound (no node:ffi). */
  readonly pair: number | undefined;
  /** Milliseconds within which a worker has to give a sign of life once it is ready. */
  readonly watchdog: number;
}

/** A worker's message: assignments of sd_notify(3), or that it has had no connection for its time, or has one again. */
export interface WorkerMessage {
  readonly rouse: { readonly tell: readonly string[] } | { readonly idle: boolean };
}

/** One line of JSON. The answer is one message of JSON, with the descriptor beside it (SCM_RIGHTS, unix(7)) if there is no error. */
export interface BindRequest {
  readonly name: string;
  readonly address: Address;
  readonly backlog: number;
}

export interface BindAnswer {
  /** As Node would have it from listen, for example code "EADDRINUSE". */
  readonly error?: { readonly code: string; readonly message: string };
}
