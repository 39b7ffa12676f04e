import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupHierarchies, removeCgroup } from "./cgroup.ts";
import { isAlive, ownerOf } from "./owner.ts";

const prefix = "rouse-machine-";
let count = 0;
const running = new Set<Container>();

/**
 * A systemd-nspawn process and what it holds on the host: one folder, one cgroup, both named after this process.
 * Mounts and processes live in namespaces that end with it.
 */
export class Container {
  readonly name: string;
  readonly #folder: string;
  readonly #cgroups: readonly string[];
  readonly #process: ChildProcess;

  /**
   * Starts to boot, over a root folder that is only read.
   * @param binds paths of the host -> where the machine sees them, unable to write there
   */
  constructor(root: string, binds: Readonly<Record<string, string>> = {}) {
    if (running.size === 0) sweep();
    this.name = `${prefix}${ownerOf(process.pid)}-${++count}`;
    this.#folder = join(tmpdir(), this.name);
    this.#cgroups = cgroupHierarchies().map((hierarchy) => join(hierarchy, this.name));
    running.add(this);
    for (const folder of [`${this.#folder}/machine`, ...this.#cgroups]) mkdirSync(folder, { recursive: true });

    const console = openSync(this.#consolePath, "w");
    const alone = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const boot = [join(import.meta.dirname, "boot.sh"), this.name, `${this.#folder}/machine`, root, ...this.#cgroups];
    const options = Object.entries(binds).map(([host, guest]) => `--bind-ro=${host}:${guest}`);
    // Parent-death signals all the way down: when this process dies, even by SIGKILL, the machine does too.
    this.#process = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...alone, ...boot, "--", ...options], {
      stdio: ["ignore", console, console],
    });
    closeSync(console);
  }

  /** The machine's process 1 as the host numbers it; undefined until it runs. */
  get init(): number | undefined {
    const shell = children(this.#process.pid)[0];
    const nspawn = children(shell)[0];
    return children(nspawn).find((pid) => namespacePids(pid).at(-1) === "1");
  }

  /** Whether the machine has been powered off, or never came up. */
  get ended(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** What the machine and systemd-nspawn printed so far. */
  get console(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escapes start with one
    return readFileSync(this.#consolePath, "utf8").replaceAll(/\u001b\[[0-9;?]*[A-Za-z]|\r/g, "");
  }

  get #consolePath(): string {
    return `${this.#folder}/console.log`;
  }

  /**
   * Ends everything inside at once and removes what it held. Synchronous, because a process that is about to exit needs it so.
   * There is no orderly shutdown: nothing of the machine is kept.
   */
  destroy(): void {
    if (!running.delete(this)) return;
    this.#process.kill("SIGKILL");
    for (const cgroup of this.#cgroups) removeCgroup(cgroup);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

// --- internal ---

/** Removes what earlier runs left that were killed by SIGKILL: an empty folder and cgroup each. */
function sweep(): void {
  for (const parent of [tmpdir(), ...cgroupHierarchies()]) {
    for (const name of readdirSync(parent)) {
      const owner = /^rouse-machine-(\d+-\d+)-\d+$/.exec(name)?.[1];
      if (owner === undefined || isAlive(owner)) continue;
      if (parent === tmpdir()) rmSync(join(parent, name), { recursive: true, force: true });
      else removeCgroup(join(parent, name));
    }
  }
}

function children(pid: number | undefined): number[] {
  return (read(`/proc/${pid}/task/${pid}/children`)?.match(/\d+/g) ?? []).map(Number);
}

function namespacePids(pid: number): string[] {
  return /^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1]?.split("\t") ?? [];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function destroyAll(): void {
  for (const container of running) container.destroy();
}

process.on("exit", destroyAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    destroyAll();
    process.kill(process.pid, signal);
  });
}
