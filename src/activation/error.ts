import { print } from "./report.ts";

export type ActivationErrorCode =
  | "bad-variable"
  | "name-count"
  | "other-process"
  | "lost-descriptor"
  | "unsupported-socket"
  | "missing-socket"
  | "several-sockets"
  | "socket-taken"
  | "wrong-kind"
  | "bad-option"
  | "bad-descriptor"
  | "bad-credentials"
  | "launchd-refused"
  | "bad-fallback"
  | "address-in-use"
  | "permission-denied"
  | "listen-failed";

/**
 * Activation is half there, or an address cannot be had. Uncaught, it ends the program with one line and exit code 1.
 * Its message says what, where and how to mend it; `mend` repeats the last. (Members carry no comment of their own: esbuild
 * would keep it in the user's bundle.)
 */
export class ActivationError extends Error {
  override readonly name = "ActivationError";
  readonly code: ActivationErrorCode;
  readonly mend: string;

  constructor(code: ActivationErrorCode, what: string, mend: string, cause?: unknown) {
    super(`${what}. ${mend}.`, { cause });
    this.code = code;
    this.mend = mend;
    if (!watching) process.on("uncaughtExceptionMonitor", printUncaught);
    watching = true;
  }
}

// --- internal ---

let watching = false;

/** The stack would show Rouse's inside, where nothing is to be mended. A program without such an error keeps Node's own handling. */
function printUncaught(error: Error): void {
  if (!(error instanceof ActivationError) || process.listenerCount("uncaughtException") > 0) return;
  print(error.message);
  process.exit(1);
}
