import { loadavg } from "node:os";

/** On stderr, while the figures go to stdout. */
export function tell(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

export function tellLoad(): void {
  const [load] = loadavg();
  if (load! > 0.5) tell(`the load is ${load!.toFixed(1)}: something else runs here, the figures will be noisy`);
}
