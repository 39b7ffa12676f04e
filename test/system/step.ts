let start = performance.now();

/** Tells whoever watches the run what happens next, and how many milliseconds after the start of the test. */
export function step(text: string): void {
  const elapsed = Math.round(performance.now() - start).toString();
  process.stderr.write(`  ${elapsed.padStart(6)} ms  ${text}\n`);
}

/** Prints a heading; the steps below it count from here. */
export function startSteps(heading: string): void {
  start = performance.now();
  process.stderr.write(`${heading}\n`);
}
