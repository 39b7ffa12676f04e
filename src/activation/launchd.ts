/** The source "launchd": the sockets that macOS's launchd holds for its job. */
import { activateSocket } from "../../launchd/activate-socket.ts";
import { descriptorKind } from "./descriptor.ts";
import { type OwnedSocket, passedSocket } from "./passed-socket.ts";
import { debug } from "./report.ts";

/**
 * Gives every descriptor of every name that launchd holds for this process; undefined where it holds none, or does not
 * manage it. What was taken is kept, so that asking again gives the same sockets.
 * @param names those of the definition, else of the fallback
 * @throws {ActivationError} launchd-refused
 */
export function socketsFromLaunchd(
  env: NodeJS.ProcessEnv,
  names: readonly string[],
): readonly OwnedSocket[] | undefined {
  if (!mayBeManaged(env)) return undefined;
  if (names.length === 0) debug(() => "launchd: not asked, since neither a definition nor a fallback names a socket");
  const sockets = names.flatMap((name) => {
    if (!taken.get(name)?.length) taken.set(name, take(name));
    return taken.get(name)!;
  });
  return sockets.length > 0 ? sockets : undefined;
}

// --- internal ---

const taken = new Map<string, readonly OwnedSocket[]>();

/** launchd sets XPC_SERVICE_NAME for its jobs; whether for all of them is documented nowhere, so on macOS it is always asked. */
function mayBeManaged(env: NodeJS.ProcessEnv): boolean {
  return process.platform === "darwin" || env.XPC_SERVICE_NAME !== undefined;
}

function take(name: string): readonly OwnedSocket[] {
  return activateSocket(name).map((fd) => passedSocket(name, fd, descriptorKind(fd) ?? "socket"));
}
