import { execFile } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { keeper } from "../../../systemd/desk-keeper.ts";
import { type Desk, type DeskUnits, deskUnits } from "../../../systemd/desk-units.ts";
import { type Unit, unitText } from "../../../systemd/unit.ts";
import { RouseError } from "../../problem.ts";
import type { Service } from "../../service.ts";
import { notStarted } from "./sandbox-problems.ts";
import type { ServiceManager } from "./service-manager.ts";
import { type OutputListener, UnitOutput } from "./unit-output.ts";

export interface RunUnitsOptions {
  readonly manager: ServiceManager;
  readonly service: Service;
  /** The run as it is now. */
  readonly desk: () => Desk;
  /** Of the run: it is removed when the launcher cannot do so itself, and sooner than it would. */
  readonly folder: string;
}

/** The units of one run, from when systemd has them until nothing of them is left there. */
export class RunUnits {
  readonly #options: RunUnitsOptions;
  readonly #output: UnitOutput;
  readonly #remove: () => Promise<void>;
  #desk: Desk;
  #units: DeskUnits;
  #removed: Promise<void> | undefined;

  private constructor(
    options: RunUnitsOptions,
    desk: Desk,
    units: DeskUnits,
    output: UnitOutput,
    remove: () => Promise<void>,
  ) {
    this.#options = options;
    this.#desk = desk;
    this.#units = units;
    this.#output = output;
    this.#remove = remove;
  }

  /** From now on it is removed when the launcher ends, however that is. Nothing listens or runs yet. @throws {RouseError} not-started */
  static async install(options: RunUnitsOptions, listener: OutputListener): Promise<RunUnits> {
    const { manager, service, folder } = options;
    const desk = options.desk();
    const units = deskUnits(service, desk);
    const output = await UnitOutput.listen(desk.output, listener);
    const fifo = join(folder, "alive");
    const unit = keeper(service, desk, units, folder, fifo, (of) => manager.pathOf(of));
    await promisify(execFile)("mkfifo", ["-m", "600", fifo]);
    const alive = openSync(fifo, "r+"); // To open it only for writing would wait for the reader.
    const installed = new RunUnits(options, desk, units, output, async () => {
      await manager.systemctl("stop", unit.name);
      closeSync(alive);
      await output[Symbol.asyncDispose]();
    });
    try {
      await installed.#start(unit);
      for (const each of [units.service, ...units.helpers]) manager.write(each);
      return installed;
    } catch (error) {
      await installed.remove();
      throw error;
    }
  }

  get service(): Unit {
    return this.#units.service;
  }

  get unchecked(): readonly string[] {
    return this.#units.unchecked;
  }

  /** The program tells when it is ready. */
  get notifies(): boolean {
    return this.#desk.notifies;
  }

  /** Who connects from now on waits. @throws {RouseError} not-started */
  async openSockets(): Promise<void> {
    for (const socket of this.#units.sockets) await this.#start(socket);
  }

  /** Allows one start of the program, now or when somebody connects. */
  release(): void {
    writeFileSync(this.#desk.go, "");
  }

  /**
   * Has it started once. It is asked for before it is allowed: where a connection has done so already, systemd makes one of both,
   * but after that start has begun it would wait for another one to be allowed. @throws {RouseError} not-started
   */
  async startProgram(): Promise<void> {
    const { code } = await this.#systemctl("start", "--no-block", this.service.name);
    if (code !== 0) throw new RouseError(notStarted(this.service.name, await this.journal()));
    this.release();
  }

  async stopProgram(): Promise<void> {
    await this.#systemctl("stop", this.service.name);
  }

  /** The sockets too, and what waits to be started. */
  async stop(): Promise<void> {
    const [gate] = this.#units.helpers;
    await this.#systemctl("stop", ...[...this.#units.sockets, this.service, gate!].map(({ name }) => name));
  }

  async signal(signal: NodeJS.Signals, whom: "main" | "all"): Promise<void> {
    await this.#systemctl("kill", `--signal=${signal}`, `--kill-whom=${whom}`, this.service.name);
  }

  /** The program may have another command now. */
  async update(): Promise<void> {
    const before = unitText(this.service);
    this.#desk = this.#options.desk();
    this.#units = deskUnits(this.#options.service, this.#desk);
    if (unitText(this.service) === before) return;
    this.#options.manager.write(this.service);
    await this.#systemctl("daemon-reload");
  }

  /** Properties of the service. */
  async show(...properties: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const { stdout } = await this.#systemctl("show", `--property=${properties.join()}`, this.service.name);
    return Object.fromEntries(stdout.split("\n").map((line) => line.split("=", 2)));
  }

  async journal(): Promise<string> {
    return await this.#options.manager.journal(this.service.name);
  }

  /** What the program has written has been received. */
  async drained(): Promise<void> {
    await this.#output.drained();
  }

  /** Stops what runs. */
  async remove(): Promise<void> {
    this.#removed ??= this.#remove();
    await this.#removed;
  }

  async #start(unit: Unit): Promise<void> {
    const { manager } = this.#options;
    manager.write(unit);
    const { code } = await this.#systemctl("start", unit.name);
    if (code !== 0) throw new RouseError(notStarted(unit.name, await manager.journal(unit.name)));
  }

  async #systemctl(...args: readonly string[]): ReturnType<ServiceManager["systemctl"]> {
    return await this.#options.manager.systemctl(...args);
  }
}
