/** Runs inside the machine of through-systemd.ts, with the pinned Node. Prints the samples of each service as one JSON document. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { ask } from "./client.ts";
import { readMemory, type Sample } from "./sample.ts";

const { rounds, services } = JSON.parse(process.argv[2]!) as {
  rounds: number;
  services: { unit: string; port: number }[];
};
const systemctl = async (...args: string[]) => (await promisify(execFile)("systemctl", args)).stdout.trim();

const samples: Sample[][] = services.map(() => []);
// The first round fills the caches, and does not count.
for (let round = -1; round < rounds; round++) {
  for (const [index, { unit, port }] of services.entries()) {
    const sample = await activate(unit, port);
    if (round >= 0) samples[index]!.push(sample);
  }
}
process.stdout.write(JSON.stringify(samples));

// --- internal ---

async function activate(unit: string, port: number): Promise<Sample> {
  const question = ask(port);
  try {
    const milliseconds = await question.answered;
    const pid = Number(await systemctl("show", "--value", "--property=MainPID", unit));
    return { milliseconds, memory: readMemory(pid) };
  } finally {
    question.close();
    await systemctl("stop", "--quiet", unit);
    // systemd still tidies up: namespaces, the dynamic user.
    await sleep(150);
  }
}
