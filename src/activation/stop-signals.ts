/** SIGTERM and SIGINT: drain, then exit 0. A program that handles a signal itself keeps it. */

/** Calls `stop` when one of the signals comes, and ends the process after it. Gives the function that takes this back. */
export function stopOn(signals: readonly NodeJS.Signals[], stop: Stop): () => void {
  for (const signal of signals) {
    if (!stops.some((other) => other.signal === signal)) process.on(signal, onSignal);
    stops.push({ signal, stop });
  }
  return () => {
    stops = stops.filter((other) => other.stop !== stop);
    for (const signal of signals) if (!stops.some((other) => other.signal === signal)) process.off(signal, onSignal);
  };
}

// --- internal ---

type Stop = () => Promise<void>;

let stops: { readonly signal: NodeJS.Signals; readonly stop: Stop }[] = [];
let since = 0;

async function onSignal(signal: NodeJS.Signals): Promise<void> {
  // Asked at the time of the signal: the program may have added its own listener after us.
  if (process.listenerCount(signal) > 1) return;
  if (since > 0) {
    // A second Ctrl-C means now. Within a second it is the same one again: npm passes on what the terminal sent to all.
    if (performance.now() - since > 1000) process.exit();
    return;
  }
  since = performance.now();
  await Promise.all(stops.map((other) => other.signal === signal && other.stop()));
  process.exit();
}
