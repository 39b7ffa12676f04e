/** SIGTERM and SIGINT: drain, then exit 0. A program that handles a signal itself keeps it. */

/** `drained` false: something of the program's own may still be ending, which gets `deadline` milliseconds. */
export interface Stopper {
  stop(): Promise<{ readonly drained: boolean; readonly deadline: number }>;
  /** Ends the wait. */
  hurry(): void;
}

/** Stops with the process when one of the signals comes. Gives the function that takes it back. */
export function stopOn(signals: readonly NodeJS.Signals[], stopper: Stopper): () => void {
  for (const signal of signals) {
    const stoppers = bySignal.get(signal) ?? new Set();
    if (stoppers.size === 0) process.on(signal, onSignal);
    bySignal.set(signal, stoppers.add(stopper));
  }
  return () => {
    for (const signal of signals) {
      const stoppers = bySignal.get(signal);
      if (stoppers?.delete(stopper) && stoppers.size === 0) process.off(signal, onSignal);
    }
  };
}

// --- internal ---

const bySignal = new Map<NodeJS.Signals, Set<Stopper>>();
let stoppingSince: number | undefined;

function onSignal(signal: NodeJS.Signals): void {
  // Asked at the time of the signal: the program may have added its own listener after us.
  if (process.listenerCount(signal) > 1) return;
  const stoppers = [...(bySignal.get(signal) ?? [])];
  if (stoppingSince === undefined) {
    stoppingSince = performance.now();
    void Promise.all(stoppers.map((stopper) => stopper.stop())).then(exit);
    return;
  }
  // A second Ctrl-C means now. Within a second it is the same one again: npm passes on what the terminal sent to all.
  if (performance.now() - stoppingSince > 1000) for (const stopper of stoppers) stopper.hurry();
}

function exit(results: readonly { readonly drained: boolean; readonly deadline: number }[]): void {
  const waiting = results.filter((result) => !result.drained).map((result) => result.deadline);
  if (waiting.length === 0) process.exit();
  const elapsed = performance.now() - stoppingSince!;
  setTimeout(() => process.exit(), Math.max(0, Math.max(...waiting) - elapsed)).unref();
}
