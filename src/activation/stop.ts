/** The end of the process: drain, then exit 0. By SIGTERM and SIGINT, or by itself where it has nothing more to do. */

import { isProgramsOwn, markOurs } from "./signals.ts";

/** Calls `stop` when one of the signals comes, and ends the process after it. Gives the function that takes this back. */
export function stopOn(signals: readonly NodeJS.Signals[], stop: () => Promise<void>): () => void {
  for (const signal of signals) if (!isHeard(signal)) process.on(signal, onSignal);
  stops.set(stop, signals);
  return () => {
    // Between its drain and its end the process must not die of a second signal.
    if (since > 0) return;
    stops.delete(stop);
    for (const signal of signals) if (!isHeard(signal)) process.off(signal, onSignal);
  };
}

/** As if SIGTERM had come: a program that cleans up at that signal does so here too. */
export function leave(): void {
  if (isProgramsOwn("SIGTERM")) process.emit("SIGTERM", "SIGTERM");
  else void stopAll([...stops.keys()]);
}

// --- internal ---

const stops = new Map<() => Promise<void>, readonly NodeJS.Signals[]>();
let since = 0;
markOurs(onSignal);

function isHeard(signal: NodeJS.Signals): boolean {
  return [...stops.values()].flat().includes(signal);
}

async function onSignal(signal: NodeJS.Signals): Promise<void> {
  if (isProgramsOwn(signal)) return;
  const now = performance.now();
  // A second Ctrl-C means now. Within a second it is the same one again: npm passes on what the terminal sent to all.
  if (since > 0 && now - since > 1000) process.exit();
  if (since > 0) return;
  since = now;
  await stopAll([...stops].filter(([, signals]) => signals.includes(signal)).map(([stop]) => stop));
}

async function stopAll(these: readonly (() => Promise<void>)[]): Promise<void> {
  await Promise.all(these.map((stop) => stop()));
  process.exit();
}
