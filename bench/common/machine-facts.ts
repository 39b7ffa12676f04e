import { availableParallelism, cpus, loadavg, release } from "node:os";
import { goVersion } from "./go.ts";

/** What a reader needs to know of where the figures come from, as one line. */
export async function machineFacts(): Promise<string> {
  const model = cpus()[0]?.model.trim();
  const cores = availableParallelism();
  const facts = [
    `${cores} ${cores === 1 ? "core" : "cores"}${model ? ` (${model})` : ""}`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    await goVersion(),
    loadBefore > 1 && `while other programs ran: load ${loadBefore.toFixed(1)} before the start`,
  ];
  return facts.filter(Boolean).join(", ");
}

// --- internal ---

/** Read when the bench starts: later it is the bench's own. */
const loadBefore = loadavg()[0]!;
