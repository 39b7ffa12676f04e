import type { Activation } from "./activation.ts";
import type { Fallback } from "./bind.ts";
import { chooseSockets } from "./choose.ts";
import { createActivation } from "./create-activation.ts";

export interface ActivateOptions<N extends string> {
  /** Where to listen when nothing was passed, by name. */
  readonly fallback?: Fallback<N>;
  /** This descriptor, or the passed socket of this number, and nothing else: what `--fd N` says. */
  readonly fd?: number;
  /** Reads `--fd N`, `-f N` and SERVER_LISTEN_FD as such a choice, and takes them out of process.argv and `env`. */
  readonly fdFlag?: boolean;
  /** One process per connection: a connected socket on descriptor 0 (inetd nowait, StandardInput=socket) is for this program. */
  readonly accept?: "connection";
  /**
   * Exits after so long without a connection, to be started again by the next one: milliseconds, or "30s", "10m".
   * At least 1 s, under launchd 10 s; never where the program has bound its sockets itself. Default: the definition's.
   */
  readonly idleExit?: number | string;
  /** The environment; its LISTEN_* variables are removed. Default: process.env. */
  readonly env?: NodeJS.ProcessEnv;
  /** Which signals drain and then exit 0, unless the program listens for them itself. Default: SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Finds the sockets that this process was started with; where there are none, those of the fallback, which `listen` will
 * bind. Another process's sockets (LISTEN_PID) are a warning where there is a fallback. A second call gives the same sockets.
 * Follows sd_listen_fds(3), sd_notify(3), systemd.socket(5), launch_activate_socket(3), inetd(8).
 * @throws {ActivationError} where sockets were passed, but not as the protocol says
 */
export function activate<N extends string>(options: ActivateOptions<N> = {}): Activation<N> {
  const { fallback = {}, fd, fdFlag = false, accept, idleExit, env = process.env, signals = STOP_SIGNALS } = options;
  const chosen = chooseSockets({ fallback, fd, fdFlag, perConnection: accept === "connection", env });
  return createActivation({ ...chosen, asked: Object.keys(fallback), idleExit, env, signals });
}

// --- internal ---

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;
