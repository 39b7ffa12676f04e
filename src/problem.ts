/** One thing that is wrong with what the user gave us, as data: what, where, and how to mend it. Only the CLI prints it. */
export interface Problem {
  /** Stable, kebab-case, for example "unknown-key". */
  readonly code: string;
  /** One sentence without a final full stop. */
  readonly what: string;
  readonly where?: Place;
  /** What to do about it, one sentence without a final full stop. */
  readonly mend?: string;
}

export interface Place {
  /** Absolute path. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** Path in the definition, for example "sockets.http.listen". */
  readonly key?: string;
  /** The source line at fault, shown below the message. */
  readonly source?: string;
}

/** The input is wrong or the surroundings do not allow it: exit code 1, never a stack trace. */
export class RouseError extends Error {
  override readonly name = "RouseError";
  readonly problems: readonly Problem[];

  constructor(problems: Problem | readonly Problem[], options?: ErrorOptions) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map((problem) => problem.what).join("; "), options);
    this.problems = list;
  }
}
