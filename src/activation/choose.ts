/** Which source has sockets for this process. */
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { type Fallback, socketsFromFallback } from "./bind.ts";
import { built } from "./built.ts";
import { descriptorKind } from "./descriptor.ts";
import { ActivationError } from "./error.ts";
import { type ExplicitDescriptor, socketFromDescriptor, takeFdFlag } from "./fd-flag.ts";
import { socketFromInetd } from "./inetd.ts";
import { socketsFromLaunchd } from "./launchd.ts";
import { describe, type OwnedSocket, passedSocket } from "./passed-socket.ts";
import { debug, print } from "./report.ts";
import { type Supervisor, supervisor } from "./supervised.ts";
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
 * The first source that has a socket wins: an explicit descriptor, the supervisor of a worker, systemd, launchd, inetd, and
 * the fallback, of which nothing is bound yet.
 * @throws {ActivationError} where sockets were passed, but not as the protocol says
 */
export function chooseSockets({ fallback, fd, fdFlag, perConnection, env }: ChooseOptions): Chosen {
  const asked = Object.keys(fallback);
  const names = built ? Object.keys(built.sockets) : asked;
  // Where the protocol gives no name, it is the one that the program names first.
  const firstName = asked[0] ?? (typeof ROUSE_ACCEPT === "undefined" ? names[0] : ROUSE_ACCEPT) ?? UNNAMED;

  // First, because the variables have to go whatever else is wrong.
  const announced = socketsFromSystemd(env);
  const explicit = explicitDescriptor(fd) ?? (fdFlag ? takeFdFlag(process.argv, env) : undefined);
  const chief = supervisor();
  if (chief && perConnection) {
    throw new ActivationError(
      "bad-option",
      "a worker is there for many connections",
      'Leave workers or accept: "connection" out',
    );
  }
  const handed = chief && socketsFromSupervisor(chief, firstName);
  // Under the same number a worker has something else. And what --fd names is for programs that read --fd.
  if (handed && explicit) requireHanded(handed, explicit);
  else if (handed?.length && chief!.source !== "fd") return decide(chief!.source, handed);

  const passed = explicit && handed ? handed : announced;
  if (explicit) return decide("fd", [socketFromDescriptor(explicit, passed, firstName)]);
  if (passed instanceof ActivationError) requireFallback(passed, asked);
  else if (passed) return decide("systemd", passed);
  const fromLaunchd = socketsFromLaunchd(env, names);
  if (fromLaunchd) return decide("launchd", fromLaunchd);
  const fromInetd = socketFromInetd(firstName, typeof ROUSE_ACCEPT === "undefined" ? perConnection : true);
  if (fromInetd) return decide("inetd", [fromInetd]);
  return decide("bind", socketsFromFallback(fallback));
}

// --- internal ---

let handedOver: readonly OwnedSocket[] | undefined;
const warned = new WeakSet<ActivationError>();

function decide(source: Source, sockets: readonly OwnedSocket[]): Chosen {
  debug(() => `source ${source}: ${describe(...sockets)}`);
  return { source, sockets };
}

function socketsFromSupervisor({ source, sockets }: Supervisor, only: string): readonly OwnedSocket[] {
  handedOver ??= sockets.map(({ name, fd }) =>
    passedSocket(source === "inetd" || source === "fd" ? only : name, fd, descriptorKind(fd)!),
  );
  return handedOver;
}

function requireHanded(handed: readonly OwnedSocket[], { from }: ExplicitDescriptor): void {
  if (handed.length > 0) return;
  throw new ActivationError(
    "bad-descriptor",
    `${from}: the supervisor of this worker has no listening socket there`,
    "Pass one, or leave the number out",
  );
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
