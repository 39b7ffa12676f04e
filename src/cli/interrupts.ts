/** What becomes of the signals that ask to end: by default the process ends at once, through its exit handlers. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

type Handler = (signal: NodeJS.Signals) => void;

let handler: Handler = endAtOnce;

/** From now on no such signal ends the process without its exit handlers, which remove what is unfinished. */
export function watchInterrupts(): void {
  for (const signal of Object.keys(endings)) process.on(signal, () => handler(signal as NodeJS.Signals));
}

/** Another handler instead, until what this gives is called. */
export function takeInterrupts(other: Handler): () => void {
  handler = other;
  return () => {
    handler = endAtOnce;
  };
}

// --- internal ---

function endAtOnce(signal: NodeJS.Signals): never {
  process.exit(endings[signal as keyof typeof endings]);
}
