/** Whose a signal is: ours, unless the program listens for it itself. */

/** Marks a listener as one of this runtime, of whichever activation. */
export function markOurs(listener: object): void {
  ours.add(listener);
}

/** To be asked at the time of the signal: the program may have added its listener after us. */
export function isProgramsOwn(signal: NodeJS.Signals): boolean {
  const others = process.listeners(signal).filter((listener) => !ours.has(listener));
  return others.length > countBystanders();
}

// --- internal ---

const ours = new WeakSet<object>();

/**
 * The listeners of signal-exit, which many packages carry: it does something only where it is alone, and would wait for us
 * as we for it. It counts them there so that its own versions 3 and 4 do not wait for each other.
 */
function countBystanders(): number {
  const { __signal_exit_emitter__: three } = process as { __signal_exit_emitter__?: { count?: number } };
  const { [FOUR]: four } = globalThis as { [FOUR]?: { count?: number } };
  return (three?.count ?? 0) + (four?.count ?? 0);
}

const FOUR = Symbol.for("signal-exit emitter");
