import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ManagerKind } from "../../../systemd/desk-units.ts";
import { type Unit, unitText } from "../../../systemd/unit.ts";
import { RouseError } from "../../problem.ts";

/**
 * The systemd that a run under the sandbox asks: the machine's for root, else the user's own. Units are files in its runtime
 * folder, which no reboot outlives; one of a name that is new is found without a daemon-reload.
 */
export class ServiceManager {
  readonly kind: ManagerKind;
  /** For example 252. */
  readonly version: number;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(kind: ManagerKind, version: number, folder: string, env: NodeJS.ProcessEnv) {
    this.kind = kind;
    this.version = version;
    this.#folder = folder;
    this.#env = env;
  }

  /**
   * @param host for example "linux-x64"
   * @param env of the user
   * @throws {RouseError} no-systemd
   */
  static async reach(host: string, uid: number, env: Readonly<NodeJS.ProcessEnv>): Promise<ServiceManager> {
    if (!host.startsWith("linux-")) throw unreachable("the sandbox is systemd's, which is on Linux only");
    if (uid === 0) return await ServiceManager.#ask("system", "/run/systemd/system", { ...env });
    // su and sudo -u leave it unset, or set to somebody else's.
    const own = `/run/user/${uid}`;
    const runtime = existsSync(`${own}/systemd/private`) ? own : env.XDG_RUNTIME_DIR;
    if (runtime === undefined) throw unreachable(`this user (${uid}) has no systemd of its own running`);
    return await ServiceManager.#ask("user", join(runtime, "systemd/user"), { ...env, XDG_RUNTIME_DIR: runtime });
  }

  static async #ask(kind: ManagerKind, folder: string, env: NodeJS.ProcessEnv): Promise<ServiceManager> {
    const asked = new ServiceManager(kind, 0, folder, env);
    const { code, stdout, stderr } = await asked.systemctl("show", "--property=Version", "--value");
    const version = Number.parseInt(stdout, 10);
    if (code === 0 && version >= OLDEST) return new ServiceManager(kind, version, folder, env);
    if (version > 0) throw unreachable(`here is systemd ${version}, which is older than ${OLDEST}`);
    throw unreachable(stderr.trim().split("\n")[0] || "systemctl does not answer");
  }

  /** Never throws for an exit code. In a session of its own: Ctrl-C in the terminal is the launcher's alone. */
  async systemctl(...args: readonly string[]): Promise<Outcome> {
    return await this.#run("systemctl", ["--no-ask-password", "--no-pager", ...args]);
  }

  /** What the manager wrote of a unit, where there is a journal that this user may read; else nothing. */
  async journal(unit: string): Promise<string> {
    const of = this.kind === "user" ? `--user-unit=${unit}` : `--unit=${unit}`;
    return (await this.#run("journalctl", ["--no-pager", "--quiet", "--output=cat", "--lines=30", of], [])).stdout;
  }

  /** @returns its path */
  write(unit: Unit): string {
    const path = this.pathOf(unit);
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(path, unitText(unit));
    return path;
  }

  /** What a program tells this manager through, where it is not the machine's ($NOTIFY_SOCKET). */
  get notifySocket(): string | undefined {
    return this.kind === "user" ? join(this.#folder, "../notify") : undefined;
  }

  pathOf(unit: Pick<Unit, "name">): string {
    return join(this.#folder, unit.name);
  }

  async #run(
    program: string,
    args: readonly string[],
    scope: readonly string[] = this.kind === "user" ? ["--user"] : [],
  ): Promise<Outcome> {
    const child = spawn(program, [...scope, ...args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...this.#env, LC_ALL: "C.UTF-8", SYSTEMD_COLORS: "0" },
    });
    const exit = new Promise<number>((resolve) => {
      child.once("error", () => resolve(127)); // There is no such program.
      child.once("close", (code) => resolve(code ?? 1));
    });
    const streams = [child.stdout, child.stderr].map((stream) => text(stream).catch(() => ""));
    const [code, stdout, stderr] = await Promise.all([exit, ...(streams as [Promise<string>, Promise<string>])]);
    return { code, stdout, stderr };
  }
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

// --- internal ---

/** $MONITOR_EXIT_STATUS is of 251, --kill-whom of 252; the units are for 252 and later too. */
const OLDEST = 252;

function unreachable(why: string): RouseError {
  return new RouseError({
    code: "no-systemd",
    what: `--sandbox needs a systemd to ask, and ${why}`,
    mend: "run it as root on a machine that systemd has booted, or as a user who has logged in there (loginctl enable-linger USER starts that user's systemd without a login); without --sandbox everything else works",
  });
}
