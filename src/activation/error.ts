import { print } from "./report.ts";

export type ActivationErrorCode =
  | "bad-variable"
  | "name-count"
  | "other-process"
  | "lost-descriptor"
  | "not-a-socket"
  | "not-listening"
  | "unsupported-socket"
  | "missing-socket"
  | "several-sockets"
  | "socket-taken"
  | "bad-fallback"
  | "path-not-a-socket"
  | "address-in-use"
  | "permission-denied"
  | "listen-failed"
  | "draining";

/** Activation is half there, or an address cannot be had. Uncaught, it ends the program with one line and exit code 1. */
export class ActivationError extends Error {
  override readonly name = "ActivationError";
  /** Stable, kebab-case. */
  readonly code: ActivationErrorCode;
  /** What to do about it. */
  readonly mend: string;

  /** Both `what` (which also says where) and `mend` are sentences without a final full stop. */
  constructor(code: ActivationErrorCode, what: string, mend: string, options?: ErrorOptions) {
    super(`${what}. ${mend}.`, options);
    this.code = code;
    this.mend = mend;
    printWhenUncaught();
  }
}

// --- internal ---

let watching = false;

/** The stack would show Rouse's inside, where nothing is to be mended. Installed with the first error: a program that has none keeps Node's own handling. */
function printWhenUncaught(): void {
  if (watching) return;
  watching = true;
  process.on("uncaughtExceptionMonitor", (error) => {
    if (!(error instanceof ActivationError) || process.listenerCount("uncaughtException") > 0) return;
    if (process.hasUncaughtExceptionCaptureCallback()) return;
    print(error.message);
    process.exit(1);
  });
}
