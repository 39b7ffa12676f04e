/** SIGTERM and SIGINT: drain, then exit 0. A program that handles a signal itself keeps it. */

/** Calls `stop` when one of the signals comes, and ends the process after it. Gives the function that takes this back. */
export function stopOn(signals: readonly NodeJS.Signals[], stop: () => Promise<void>): () => void {
  for (const signal of signals) if (!isHeard(signal)) process.on(signal, onSignal);
  stops.set(stop, signals);
  return () => {
    stops.delete(stop);
    for (const signal of signals) if (!isHeard(signal)) process.off(signal, onSignal);
  };
}

// --- internal ---

const stops = new Map<() => Promise<void>, readonly NodeJS.Signals[]>();
let since = 0;

function isHeard(signal: NodeJS.Signals): boolean {
  return [...stops.values()].flat().includes(signal);
}

async function onSignal(signal: NodeJS.Signals): Promise<void> {
  // Asked at the time of the signal: the program may have added its own listener after us.
  if (process.listenerCount(signal) > 1) return;
  const now = performance.now();
  // A second Ctrl-C means now. Within a second it is the same one again: npm passes on what the terminal sent to all.
  if (since > 0 && now - since > 1000) process.exit();
  if (since > 0) return;
  since = now;
  await Promise.all([...stops].map(([stop, signals]) => signals.includes(signal) && stop()));
  process.exit();
}
