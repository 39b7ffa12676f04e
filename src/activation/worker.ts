/** A process that was started by a supervisor joins it: before the program runs, so that no child of the program takes itself for a worker. */
import { writeSync } from "node:fs";
import { built } from "./built.ts";
import {
  type BindAnswer,
  type BindRequest,
  type Handed,
  PROTOCOL,
  WORKER_VARIABLE,
  type WorkerMessage,
} from "./channel.ts";
import { ActivationError } from "./error.ts";
import { receiveDescriptor } from "./ffi-share.ts";
import { leaveWhenIdle } from "./idle-exit.ts";
import { debug, print } from "./report.ts";
import { enterSupervisor, type Supervisor, supervisor } from "./supervised.ts";

/**
 * Gives whether this process is a worker. The variable that says so is consumed; asking again gives the same.
 * @throws {ActivationError} other-process where the supervisor is of a version that this one does not understand
 */
export function joinSupervisor(env: NodeJS.ProcessEnv): boolean {
  const text = env[WORKER_VARIABLE];
  Reflect.deleteProperty(env, WORKER_VARIABLE);
  if (supervisor()) return true;
  if (text === undefined || !process.send) return false;
  const { protocol, source, sockets, pair, watchdog }: Handed = JSON.parse(text);
  if (protocol !== PROTOCOL) throw new ActivationError("other-process", OTHER_VERSION, "Restart the service");
  debug(() => `worker of ${process.ppid}: ${text}`);
  enterSupervisor({
    source,
    sockets,
    manager: {
      watchdog,
      tell: (...assignments) => say({ tell: assignments.filter((text) => text !== false) }),
      store(name) {
        print(`warning: "${name}" is not stored: a worker cannot give descriptors to the service manager`);
        return false;
      },
      unstore() {},
      async barrier() {},
    },
    watchIdle: tellWhenIdle,
    bind: (request) => bindThrough(pair, request),
  });

  // No orphans: without a supervisor nobody would replace this process, or stop it.
  if (process.connected) process.once("disconnect", leaveOrphaned);
  else leaveOrphaned();
  process.channel?.unref();
  // A terminal sends it to all of its processes, and which version runs is the supervisor's affair.
  process.on("SIGHUP", () => {});
  return true;
}

// --- internal ---

const tellWhenIdle: Supervisor["watchIdle"] = (milliseconds, isBusy) => {
  let isIdle = false;
  const watch = () => leaveWhenIdle(milliseconds, isBusy, () => tell(true));
  const tell = (now: boolean) => {
    isIdle = now;
    say({ idle: now });
  };
  let idle = watch();
  return {
    touch() {
      if (isIdle) {
        tell(false);
        idle = watch();
      } else idle.touch();
    },
    stop: () => idle.stop(),
  };
};

function bindThrough(pair: number | undefined, request: BindRequest): number {
  if (pair === undefined) {
    const why = `its supervisor binds it for all workers, and this Node (${process.version}) has no node:ffi to do so`;
    const mend = "Use Node 26, or pass the sockets (systemd-socket-activate, systemfd), or do without workers";
    throw Object.assign(new Error(why), { mend });
  }
  writeSync(pair, `${JSON.stringify(request)}\n`);
  const { message, fd } = receiveDescriptor(pair);
  if (message === "") process.exit(1); // The supervisor is gone.
  const { error } = JSON.parse(message) as BindAnswer;
  if (error) throw Object.assign(new Error(error.message), error);
  return fd!;
}

const OTHER_VERSION =
  "the supervisor was built by another version of Rouse, which workers of this one do not understand";

function say(message: WorkerMessage["rouse"]): void {
  // Without the callback, a supervisor that is gone would be an uncaught error.
  if (process.connected) process.send!({ rouse: message }, undefined, undefined, () => {});
}

/** As if it had been told to stop; by force, if the program does not end by that. */
function leaveOrphaned(): void {
  debug(() => "the supervisor is gone");
  setTimeout(() => process.exit(1), built?.stopTimeout ?? 20_000).unref();
  process.kill(process.pid, "SIGTERM");
}
