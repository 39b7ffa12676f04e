import { basename, join } from "node:path";
import { readService } from "../../src/definition.ts";
import type { Service } from "../../src/service.ts";
import { emitUnits } from "../../systemd/manifests.ts";
import { sandbox } from "../../systemd/sandbox.ts";
import { type Unit, unitText } from "../../systemd/unit.ts";
import { bootMachine, type Machine } from "../../test/system/machine.ts";
import type { Sample } from "./sample.ts";

/** A program to install as a service. */
export interface Installation {
  readonly name: string;
  /** Files of the host: the program, then those that it gets as arguments. */
  readonly files: readonly string[];
  readonly sandboxed: boolean;
  /** It tells systemd when it is ready. */
  readonly notifies: boolean;
}

export interface SystemdRun {
  /** For example "systemd 252". */
  readonly version: string;
  /** One list for each installation, in their order. */
  readonly samples: readonly (readonly Sample[])[];
}

/**
 * Cold activations by a real systemd, in a machine that is booted for it. All get the units that Rouse emits for the service
 * in the folder `definition`, with or without their sandbox, so that nothing else differs. The client runs inside.
 */
export async function measureThroughSystemd(
  definition: string,
  installations: readonly Installation[],
  rounds: number,
): Promise<SystemdRun> {
  const service = await readService(definition);
  await using machine = await bootMachine();
  const files = [...clientFiles, process.execPath, ...installations.flatMap((installation) => installation.files)];
  for (const [to, from] of new Map(files.map((file) => [guestPath(file), file]))) await machine.copyIn(from, to);
  await machine.write(`${guestFolder}/package.json`, '{ "type": "module" }');

  const services = installations.map((installation, index) => ({
    unit: `bench${index}.service`,
    port: 8000 + index,
    units: makeUnits(service, installation, `bench${index}`, 8000 + index),
  }));
  const units = services.flatMap((each) => each.units);
  for (const unit of units) await machine.write(`/etc/systemd/system/${unit.name}`, unitText(unit));
  await machine.run(["systemctl", "daemon-reload"]);
  await machine.run(["systemctl", "start", ...units.filter(({ kind }) => kind === "socket").map(({ name }) => name)]);

  const samples = await runInside(machine, { rounds, services: services.map(({ unit, port }) => ({ unit, port })) });
  const [version] = (await machine.run(["systemctl", "--version"])).stdout.split(" (");
  return { version: version!, samples };
}

// --- internal ---

const guestFolder = "/opt/bench";
const guestPath = (file: string): string => join(guestFolder, basename(file));

const insideMachine = join(import.meta.dirname, "inside-machine.ts");
const clientFiles = [insideMachine, ...["client.ts", "sample.ts"].map((file) => join(import.meta.dirname, file))];

function makeUnits(service: Service, { files, sandboxed, notifies }: Installation, name: string, port: number): Unit[] {
  const [path, ...args] = files.map(guestPath);
  const sockets = service.sockets.map((socket) => ({
    ...socket,
    listen: [{ type: "tcp" as const, host: undefined, port }],
  }));
  const units = emitUnits({ ...service, name, args, sockets }, { path: path!, notifies });
  if (sandboxed) return units;
  const fences = new Set(sandbox(path!, service.permissions).map(([directive]) => directive));
  return units.map((unit) => ({ ...unit, entries: unit.entries.filter((entry) => !fences.has(entry.name)) }));
}

async function runInside(machine: Machine, order: object): Promise<Sample[][]> {
  const command = [guestPath(process.execPath), guestPath(insideMachine), JSON.stringify(order)];
  return JSON.parse((await machine.run(command, { timeout: 150_000 })).stdout);
}
