import { closeSync, openSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CommandOptions, type Result, runCommand, tryCommand } from "./command.ts";
import { Container } from "./container.ts";
import { listFiles } from "./files.ts";
import { type Answer, httpGet } from "./http.ts";
import { type LongRunning, startLongRunning } from "./long-running.ts";
import { debianRoot, defaultSuite, type Suite } from "./root.ts";
import { inspectProcess, type ServiceProcess } from "./service-process.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export interface MachineOptions {
  /** The Debian release; ROUSE_TEST_SUITE, else "bookworm", unless told. */
  readonly suite?: Suite;
  /** Paths of the host -> where the machine sees them, unable to write there. */
  readonly binds?: Readonly<Record<string, string>>;
}

/**
 * Boots a pristine Debian with systemd as process 1, in a network of its own. Use it with `await using`.
 * @throws {Error} with its console's output when it is not up within 30 seconds
 */
export async function bootMachine(options: MachineOptions = {}): Promise<Machine> {
  const root = await debianRoot(options.suite ?? defaultSuite);
  const container = new Container(root, options.binds);
  try {
    return new Machine(container, await booted(container));
  } catch (error) {
    container.destroy();
    throw error;
  }
}

/** A running Debian. Commands are a shell's when they are strings and run as root; every failure tells command, exit code and output. */
export class Machine implements AsyncDisposable {
  readonly #container: Container;
  #init: number;
  readonly #longRunning: LongRunning[] = [];

  constructor(container: Container, init: number) {
    this.#container = container;
    this.#init = init;
  }

  get name(): string {
    return this.#container.name;
  }

  /** Inode of its network namespace, as `readlink /proc/self/ns/net` shows it. */
  get network(): string {
    return readlinkSync(`/proc/${this.#init}/ns/net`);
  }

  /** @throws {CommandError} also on an exit code other than zero */
  async run(command: string | readonly string[], options: CommandOptions = {}): Promise<Result> {
    return await runCommand(...this.#inside(command, options));
  }

  /** Like run, but any exit code is an answer. */
  async try(command: string | readonly string[], options: CommandOptions = {}): Promise<Result> {
    return await tryCommand(...this.#inside(command, options));
  }

  /** Copies one file of the host with its permission bits; makes the folders above it. */
  async copyIn(hostPath: string, guestPath: string): Promise<void> {
    const mode = (statSync(hostPath).mode & 0o7777).toString(8);
    const stdin = openSync(hostPath, "r");
    try {
      await this.run(["install", "-D", "-m", mode, "/dev/stdin", guestPath], { stdin });
    } finally {
      closeSync(stdin);
    }
  }

  /** Writes a text file with mode 0644; makes the folders above it. */
  async write(guestPath: string, text: string): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"';
    await this.run(["sh", "-c", script, "sh", guestPath, text], { title: `${this.name}# write ${guestPath}` });
  }

  /** Installs or upgrades a Debian package of the host by `dpkg -i`; gives what dpkg printed. */
  async install(debPath: string): Promise<Result> {
    const guestPath = `/tmp/${basename(debPath)}`;
    await this.copyIn(debPath, guestPath);
    return await this.run(["dpkg", "-i", guestPath]);
  }

  /**
   * One HTTP request by curl inside the machine, over a connection of its own.
   * @throws {CommandError} when there is no answer: refused, reset, or later than the timeout (10 s unless told)
   */
  async get(url: string, options: { readonly timeout?: number } = {}): Promise<Answer> {
    return await httpGet(this, url, options.timeout ?? 10_000);
  }

  /** Starts a program of the host inside the machine's network; it ends at the latest with the machine. */
  spawn(argv: readonly string[]): LongRunning {
    const child = startLongRunning(["nsenter", `--net=/proc/${this.#init}/ns/net`, ...argv]);
    this.#longRunning.push(child);
    return child;
  }

  /** All that lies on the disk, sorted, one line each: type, mode, owner, path, target of a link. See files.ts for what it leaves out. */
  async files(): Promise<string[]> {
    return await listFiles(this);
  }

  /** A property of a unit as systemd has it loaded. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.run(["systemctl", "show", "--value", `--property=${property}`, unit])).stdout.trimEnd();
  }

  /** @throws {Error} when the service has no process */
  async process(unit: string): Promise<ServiceProcess> {
    return await inspectProcess(this, unit);
  }

  /** What the unit printed and what systemd said of it. */
  async journal(unit: string): Promise<string> {
    await this.run(["journalctl", "--sync"]);
    return (await this.run(["journalctl", "--no-pager", "--output=short-precise", `--unit=${unit}`])).stdout;
  }

  /** Whether anybody listens on the TCP port, on any address. */
  async listens(port: number): Promise<boolean> {
    return (await this.run(["ss", "--no-header", "--listening", "--tcp", `sport = :${port}`])).stdout !== "";
  }

  /** Asks again and again until the check gives something other than undefined or false, and gives that. See wait.ts. */
  async waitFor<T>(
    description: string,
    check: () => Promise<T | undefined | false>,
    options?: WaitOptions,
  ): Promise<T> {
    return await waitFor(description, check, options);
  }

  /** Boots it again, with the same disk. It gets a new network, so that what spawn started there has lost its own. */
  async reboot(): Promise<void> {
    const before = this.#init;
    // The connection to a systemd that goes down may break before its answer.
    await this.try(["systemctl", "reboot", "--no-block"]);
    this.#init = await booted(this.#container, before);
  }

  /** Ends it with all that runs inside, and removes every trace from the host. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#container.destroy();
    await Promise.all(this.#longRunning.map((child) => child.stop("SIGKILL")));
    // The reaping of systemd-nspawn by Node needs a turn of the event loop.
    while (!this.#container.ended) await sleep(1);
  }

  #inside(command: string | readonly string[], options: CommandOptions): [string[], CommandOptions] {
    const argv = typeof command === "string" ? ["sh", "-c", command] : [...command];
    const title = `${this.name}# ${typeof command === "string" ? command : command.join(" ")}`;
    return [[...enter(this.#init), ...argv], { title, ...options }];
  }
}

// --- internal ---

/** Before a command line: runs it inside, with a root's environment there rather than the host's. */
function enter(init: number): string[] {
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const environment = [`PATH=${path}`, "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"];
  return ["nsenter", `--target=${init}`, "--all", "env", "--ignore-environment", ...environment];
}

/**
 * Waits until systemd has started everything, and gives its process as the host numbers it.
 * @throws {Error} with the console's output
 */
async function booted(container: Container, before?: number): Promise<number> {
  try {
    return await waitFor("the machine has booted", () => isUp(container, before), { timeout: 30_000, interval: 20 });
  } catch (cause) {
    throw new Error(`${(cause as Error).message}; its console:\n${container.console}`, { cause });
  }
}

async function isUp(container: Container, before: number | undefined): Promise<number | undefined> {
  if (container.ended) throw new Error("systemd-nspawn ended during the boot");
  const init = container.init;
  if (init === undefined || init === before) return undefined;
  const { stdout } = await tryCommand([...enter(init), "systemctl", "is-system-running"]);
  return /^(running|degraded)$/.test(stdout.trim()) ? init : undefined;
}
