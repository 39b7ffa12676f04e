import { pollWritable } from "../run/polling/system-calls.ts";

/** Writes to stdout or stderr in order, and never waits for whoever reads: Node's own writing to a pipe does. */
export interface PatientOutput {
  write(text: string): void;
  /** Resolves when everything is written, or the time is over. @param patience milliseconds */
  drained(patience: number): Promise<void>;
}

/** So that a run goes on, and can be ended, although nobody reads what it tells, or somebody has halted the terminal (Ctrl-S). */
export function createPatientOutput(stream: NodeJS.WriteStream & { readonly fd: number }): PatientOutput {
  let waiting: Buffer[] = [];
  let timer: NodeJS.Timeout | undefined;
  let drained = Promise.withResolvers<void>();
  drained.resolve();

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length > 0 && pollWritable(stream.fd)) stream.write(waiting.shift()!);
    if (waiting.length > 0) timer = setTimeout(flush, PAUSE);
    else drained.resolve();
  }

  return {
    write(text) {
      const bytes = Buffer.from(text);
      if (waiting.length === 0) drained = Promise.withResolvers<void>();
      for (let at = 0; at < bytes.length; at += PIECE) waiting.push(bytes.subarray(at, at + PIECE));
      if (timer === undefined) flush();
    },
    async drained(patience) {
      const late = Number.isFinite(patience) ? setTimeout(() => drained.resolve(), patience) : undefined;
      await drained.promise;
      clearTimeout(late);
      clearTimeout(timer);
      waiting = [];
    },
  };
}

// --- internal ---

/** Bytes: PIPE_BUF, for which a pipe has room where poll(2) says that it has any (pipe(7)). */
const PIECE = 4096;

/** Milliseconds. */
const PAUSE = 20;
