/** The main process of a service with workers: what it finds, and what it starts them with. */
import { availableParallelism } from "node:os";
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { systemdManager } from "../../systemd/notify.ts";
import { built } from "./built.ts";
import { type Chosen, chooseSockets } from "./choose.ts";
import { ownCommand } from "./command.ts";
import { descriptorKind } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import { takeFdFlag } from "./fd-flag.ts";
import { describe, passedSocket } from "./passed-socket.ts";
import { runSupervisor } from "./supervisor.ts";

export interface StartOptions {
  readonly workers: number | "auto";
  /** The names that launchd is asked for. Default: those of the definition that the program was built with. */
  readonly sockets?: readonly string[];
}

/**
 * Collects the sockets as activate does, and supervises until the process ends.
 * @throws {ActivationError} as activate; bad-option, wrong-kind
 */
export function startSupervisor({ workers, sockets: names = namesBuilt() }: StartOptions): void {
  if (workers !== "auto" && !(Number.isInteger(workers) && workers > 0)) {
    throw new ActivationError(
      "bad-option",
      `workers: ${workers} is no number of processes`,
      'Write 1 or more, or "auto"',
    );
  }
  const { source, sockets } = collect(names);
  const env = { ...process.env };
  // OpenFile=/run/systemd/notify:notify is this process's own, as are the variables that speak of the service manager.
  const openFile = env.NOTIFY_SOCKET === undefined ? undefined : sockets.find(({ name }) => name === "notify")?.fd;
  const manager = systemdManager(env, openFile);
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) Reflect.deleteProperty(env, name);

  runSupervisor({
    count: () => (workers === "auto" ? availableParallelism() : workers),
    plan: {
      ...ownCommand(),
      cwd: process.cwd(),
      env,
      source,
      sockets: sockets.filter(({ fd }) => fd !== openFile),
      startLimit: START_LIMIT,
      hangLimit: manager.watchdog ?? HANG_LIMIT,
    },
    manager,
    deadline: (built?.stopTimeout ?? 20_000) * 0.9,
  });
}

// --- internal ---

/** Milliseconds. Below TimeoutStartSec=, which is 90 s unless the unit says another, so that a reload that fails is told by us. */
const START_LIMIT = 60_000;

/** Milliseconds, where no watchdog is asked for. Long, because a program may compute for a while. */
const HANG_LIMIT = 30_000;

function namesBuilt(): readonly string[] {
  return built ? Object.keys(built.sockets) : [];
}

/** The fallback is the program's: what it would bind, its workers will tell. */
function collect(names: readonly string[]): Chosen {
  const fallback = Object.fromEntries((names.length > 0 ? names : [UNNAMED]).map((name) => [name, undefined]));
  const chosen = chooseSockets({ fallback, fd: undefined, fdFlag: false, perConnection: false, env: process.env });
  const connection = chosen.sockets.find(({ role }) => role === "connection");
  if (connection) {
    throw new ActivationError(
      "wrong-kind",
      `${describe(connection)} is one connection, which workers cannot share`,
      "Leave workers out where each connection has a process of its own",
    );
  }
  return chosen.source === "bind" ? (flagged() ?? chosen) : chosen;
}

/** What `--fd N` means, if the program reads it, which only its workers know. They find it under the same number. */
function flagged(): Chosen | undefined {
  try {
    const { number } = takeFdFlag([...process.argv], { ...process.env }) ?? {};
    if (number === undefined || descriptorKind(number) !== "socket") return undefined;
    const socket = passedSocket(UNNAMED, number, "socket");
    return socket.role === "listener" && socket.type !== "other" ? { source: "fd", sockets: [socket] } : undefined;
  } catch {
    return undefined; // Another program's -f.
  }
}
