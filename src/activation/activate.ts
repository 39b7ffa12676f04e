import { type Activation, createActivation } from "./activation.ts";
import { type Fallback, socketsFromFallback } from "./bind.ts";
import { describe } from "./passed-socket.ts";
import { debug } from "./report.ts";
import { socketsFromSystemd } from "./systemd.ts";

export interface ActivateOptions<N extends string> {
  /** Where to listen when nothing was passed, by name. */
  readonly fallback?: Fallback<N>;
  /** The environment; its LISTEN_* variables are removed. Default: process.env. */
  readonly env?: NodeJS.ProcessEnv;
  /** Which signals drain and then exit 0, unless the program listens for them itself. Default: SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Finds the sockets that this process was started with; where there are none, those of the fallback, which `listen` will
 * bind. Another process's sockets (LISTEN_PID) are a warning where there is a fallback. A second call gives the same sockets.
 * Follows sd_listen_fds(3), sd_notify(3), systemd.socket(5).
 * @throws {ActivationError} where sockets were passed, but not as the protocol says
 */
export function activate<N extends string>(options: ActivateOptions<N> = {}): Activation<N> {
  const { fallback = {}, env = process.env, signals = ["SIGTERM", "SIGINT"] } = options;
  const asked = Object.keys(fallback);
  // The first source that has sockets wins.
  const passed = socketsFromSystemd(env, asked.length > 0);
  const source = passed ? "systemd" : "bind";
  const sockets = passed ?? socketsFromFallback(fallback);
  debug(() => `source ${source}: ${describe(...sockets)}`);
  return createActivation({ source, sockets, asked, env, signals });
}
