/**
 * The receiving half of systemd's socket passing: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES (and LISTEN_PIDFDID of systemd 259).
 * Follows sd_listen_fds_with_names(3) and src/libsystemd/sd-daemon/sd-daemon.c, in that order of checks.
 */
import { ActivationError } from "../src/activation/error.ts";

export interface ListenFds {
  /** Whom LISTEN_PID addresses. Undefined (`systemfd --no-pid`): only the descriptors themselves can tell. */
  readonly pid: number | undefined;
  readonly count: number;
  readonly names: readonly string[] | undefined;
}

/** SD_LISTEN_FDS_START: descriptors 0 to 2 are the standard streams. */
export const FIRST_DESCRIPTOR = 3;

/** The name that sd_listen_fds_with_names(3) gives where LISTEN_FDNAMES is absent. */
export const UNNAMED = "unknown";

/** Gives the LISTEN_* variables and removes them from `env`, so that no child of ours takes them for its own. */
export function takeListenVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const taken: NodeJS.ProcessEnv = {};
  for (const name of ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) {
    taken[name] = env[name];
    Reflect.deleteProperty(env, name);
  }
  return taken;
}

/**
 * Reads the variables as the process `ownPid`; undefined where nothing was passed. What is addressed to another process is
 * read no further: its count is 0.
 * @param ownPidfdId gives the inode number of a pidfd of this process, which unlike its id is never used again; undefined
 * where the kernel has none: then it is not compared, as systemd does it
 * @throws {ActivationError} bad-variable, name-count
 */
export function parseListenFds(
  env: Readonly<NodeJS.ProcessEnv>,
  ownPid: number,
  ownPidfdId: () => bigint | undefined = () => undefined,
): ListenFds | undefined {
  const pid = parseNumber(env, "LISTEN_PID", MAX_INT);
  if (env.LISTEN_FDS === undefined) return undefined;
  if (pid !== undefined && pid !== ownPid) return { pid, count: 0, names: undefined };
  if (parseNumber(env, "LISTEN_PIDFDID", 2 ** 64) !== undefined) {
    const own = ownPidfdId();
    // As BigInt: an inode number has 64 bits.
    if (own !== undefined && own !== BigInt(env.LISTEN_PIDFDID!))
      return { pid: pid ?? ownPid, count: 0, names: undefined };
  }
  const count = parseNumber(env, "LISTEN_FDS", MAX_INT - FIRST_DESCRIPTOR)!;
  // Names are not escaped, may repeat and may be empty.
  const names = env.LISTEN_FDNAMES?.split(":");
  if (!names || names.length === count) return { pid, count, names };
  throw new ActivationError(
    "name-count",
    `LISTEN_FDS=${count}, but LISTEN_FDNAMES="${env.LISTEN_FDNAMES}" has ${names.length}`,
    "Give one name per socket, or none at all",
  );
}

// --- internal ---

const MAX_INT = 2 ** 31 - 1;

function parseNumber(env: Readonly<NodeJS.ProcessEnv>, variable: string, most: number): number | undefined {
  const text = env[variable];
  if (text === undefined) return undefined;
  const number = /^\d{1,20}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new ActivationError(
    "bad-variable",
    `${variable}="${text}" is no number from 1 to ${most}`,
    "Remove it, or pass sockets as sd_listen_fds(3) says",
  );
}
