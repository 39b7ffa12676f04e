import { availableParallelism, cpus, release } from "node:os";
import { goVersion, type Server } from "./servers.ts";

/** What a reader needs to know of where the figures come from, as one line. */
export async function machineFacts(servers: readonly Server[]): Promise<string> {
  const go = servers.find(({ id }) => id === "go");
  const model = cpus()[0]?.model.trim();
  const cores = availableParallelism();
  const facts = [
    `${cores} ${cores === 1 ? "core" : "cores"}${model ? ` (${model})` : ""}`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    ...(go ? [await goVersion(go.command[0]!)] : []),
  ];
  return facts.join(", ");
}
