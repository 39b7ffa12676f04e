import { buildProgram } from "./build-example.ts";
import type { Machine } from "./machine.ts";

/** Where the executable of programs/probe lies in the machine. Its argument says which of its services it is. */
export const probe = "/usr/lib/probe/probe";

/**
 * Puts programs/probe on the machine, and these units, by name, without a line that the test is not about. What follows
 * from the names is added: sockets are started.
 */
export async function installProbe(machine: Machine, units: Readonly<Record<string, string>>): Promise<void> {
  await machine.copyIn((await buildProgram("probe")).path("executable"), probe);
  await writeUnits(machine, units);
  const sockets = Object.keys(units).filter((name) => /[^@]\.socket$/.test(name));
  if (sockets.length > 0) await machine.run(["systemctl", "start", ...sockets]);
}

/** Writes or replaces units until the next boot, and has systemd read them. */
export async function writeUnits(machine: Machine, units: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(units)) {
    await machine.write(`/run/systemd/system/${name}`, `${text.replaceAll(/^ +/gm, "").trim()}\n`);
  }
  await machine.run(["systemctl", "daemon-reload"]);
}

/** What the service `web` of the probe tells of itself. */
export interface WebAnswer {
  readonly pid: number;
  /** The main process of the service: where there are workers, another one. */
  readonly main: number;
  readonly source: string;
  readonly peer?: { readonly address: string; readonly port: number };
  readonly version: string;
  readonly reloads: number;
  readonly inFlight: number;
}

export async function askWeb(machine: Machine, port = 80): Promise<WebAnswer> {
  return JSON.parse((await machine.get(`http://127.0.0.1:${port}/`)).body) as WebAnswer;
}
