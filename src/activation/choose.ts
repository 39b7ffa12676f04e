/** Which source has sockets for this process. */
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { type Fallback, socketsFromFallback } from "./bind.ts";
import { built } from "./built.ts";
import { ActivationError } from "./error.ts";
import { type ExplicitDescriptor, socketFromDescriptor, takeFdFlag } from "./fd-flag.ts";
import { socketFromInetd } from "./inetd.ts";
import { socketsFromLaunchd } from "./launchd.ts";
import { describe, type OwnedSocket } from "./passed-socket.ts";
import { debug, print } from "./report.ts";
import { socketsFromSystemd } from "./systemd.ts";

/** Where the sockets come from. "fd": an explicit descriptor; "bind": bound by the program itself. */
export type Source = "systemd" | "launchd" | "inetd" | "fd" | "bind";

export interface Chosen {
  readonly source: Source;
  readonly sockets: readonly OwnedSocket[];
}

export interface ChooseOptions {
  readonly fallback: Fallback<string>;
  readonly fd: number | undefined;
  readonly fdFlag: boolean;
  readonly perConnection: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The first source that has a socket wins: an explicit descriptor, systemd, launchd, inetd, and the fallback, of which
 * nothing is bound yet.
 * @throws {ActivationError} where sockets were passed, but not as the protocol says
 */
export function chooseSockets({ fallback, fd, fdFlag, perConnection, env }: ChooseOptions): Chosen {
  const asked = Object.keys(fallback);
  const names = built ? Object.keys(built.sockets) : asked;
  // Where the protocol gives no name, it is the one that the program names first.
  const firstName = asked[0] ?? names[0] ?? UNNAMED;

  // First, because the variables have to go whatever else is wrong.
  const passed = socketsFromSystemd(env);
  const explicit = explicitDescriptor(fd) ?? (fdFlag ? takeFdFlag(process.argv, env) : undefined);
  if (explicit) return decide("fd", [socketFromDescriptor(explicit, passed, firstName)]);
  if (passed instanceof ActivationError) requireFallback(passed, asked);
  else if (passed) return decide("systemd", passed);
  const fromLaunchd = socketsFromLaunchd(env, names);
  if (fromLaunchd) return decide("launchd", fromLaunchd);
  const fromInetd = socketFromInetd(firstName, perConnection);
  if (fromInetd) return decide("inetd", [fromInetd]);
  return decide("bind", socketsFromFallback(fallback));
}

// --- internal ---

const warned = new WeakSet<ActivationError>();

function decide(source: Source, sockets: readonly OwnedSocket[]): Chosen {
  debug(() => `source ${source}: ${describe(...sockets)}`);
  return { source, sockets };
}

function explicitDescriptor(fd: number | undefined): ExplicitDescriptor | undefined {
  return fd === undefined ? undefined : { number: fd, from: `fd: ${fd}` };
}

/** Sockets of another process are a warning where there is a fallback; anything else is half an activation. */
function requireFallback(error: ActivationError, asked: readonly string[]): void {
  if (asked.length === 0 || error.code !== "other-process") throw error;
  if (!warned.has(error)) print(`warning: ${error.message} The fallback is bound instead.`);
  warned.add(error);
}
