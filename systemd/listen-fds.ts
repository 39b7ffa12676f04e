/**
 * The receiving half of systemd's socket passing: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES (and LISTEN_PIDFDID of systemd 259).
 * Follows sd_listen_fds_with_names(3) and src/libsystemd/sd-daemon/sd-daemon.c, in that order of checks.
 */
import { ActivationError } from "../src/activation/error.ts";

export type ListenFds =
  /** Nothing was passed to anyone. */
  | { readonly kind: "none" }
  /** Descriptors were passed, but to the process `pid`. */
  | { readonly kind: "foreign"; readonly pid: number }
  /** `addressed`: LISTEN_PID says so. Without it (`systemfd --no-pid`) only the descriptors themselves can tell. */
  | {
      readonly kind: "passed";
      readonly count: number;
      readonly names: readonly string[] | undefined;
      readonly addressed: boolean;
    };

/** SD_LISTEN_FDS_START: descriptors 0 to 2 are the standard streams. */
export const FIRST_DESCRIPTOR = 3;

/** The name that sd_listen_fds_with_names(3) gives where LISTEN_FDNAMES is absent. */
export const UNNAMED = "unknown";

/** Gives the LISTEN_* variables and removes them from `env`, so that no child of ours takes them for its own. */
export function takeListenVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const taken: NodeJS.ProcessEnv = {};
  for (const name of VARIABLES) {
    if (env[name] !== undefined) taken[name] = env[name];
    Reflect.deleteProperty(env, name);
  }
  return taken;
}

/**
 * Reads the variables as the process `pid`.
 * @throws {ActivationError} bad-variable, name-count
 */
export function parseListenFds(env: Readonly<NodeJS.ProcessEnv>, pid: number): ListenFds {
  const { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES, LISTEN_PIDFDID } = env;
  const addressee = LISTEN_PID === undefined ? undefined : parseNumber("LISTEN_PID", LISTEN_PID, MAX_INT);
  if (LISTEN_FDS === undefined) return { kind: "none" };
  if (addressee !== undefined && addressee !== pid) return { kind: "foreign", pid: addressee };
  // A pidfd id is a 64-bit inode number. Ours cannot be obtained here, in which case systemd skips the comparison too.
  if (LISTEN_PIDFDID !== undefined) parseNumber("LISTEN_PIDFDID", LISTEN_PIDFDID, 2 ** 64);
  const count = parseNumber("LISTEN_FDS", LISTEN_FDS, MAX_INT - FIRST_DESCRIPTOR);
  // Names are not escaped, may repeat and may be empty.
  const names = LISTEN_FDNAMES?.split(":");
  if (names && names.length !== count) {
    throw new ActivationError(
      "name-count",
      `LISTEN_FDS=${LISTEN_FDS} passes ${count} ${count === 1 ? "descriptor" : "descriptors"}, but LISTEN_FDNAMES="${LISTEN_FDNAMES}" names ${names.length}`,
      "Give one name per descriptor, with colons between, or leave LISTEN_FDNAMES away",
    );
  }
  return { kind: "passed", count, names, addressed: addressee !== undefined };
}

// --- internal ---

const VARIABLES = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] as const;
const MAX_INT = 2 ** 31 - 1;

function parseNumber(variable: string, text: string, most: number): number {
  const number = /^\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 1 && number <= most) return number;
  throw new ActivationError(
    "bad-variable",
    `${variable}="${text}" is no number from 1 to ${most}`,
    `systemd sets it for the program that it starts: remove it from the environment, or pass sockets as sd_listen_fds(3) says`,
  );
}
