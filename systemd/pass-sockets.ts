/** The handing half of systemd's socket passing: what a process finds in its environment (sd_listen_fds(3), systemd.exec(5)). */
import { FIRST_DESCRIPTOR } from "./listen-fds.ts";

/** LISTEN_FDS and LISTEN_FDNAMES for sockets that lie on descriptor 3 and up, in this order; nothing where there are none. */
export function listenVariables(names: readonly string[]): Record<string, string> {
  if (names.length === 0) return {};
  return { LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(":") };
}

/**
 * REMOTE_ADDR and REMOTE_PORT of a service that is started for one connection (systemd.exec(5)).
 * @param peer an IPv4 address as such, also where an IPv6 listener has taken the connection
 */
export function remoteVariables(peer: { readonly address: string; readonly port?: number } | undefined): {
  REMOTE_ADDR?: string;
  REMOTE_PORT?: string;
} {
  if (!peer) return {};
  return { REMOTE_ADDR: peer.address, ...(peer.port !== undefined && { REMOTE_PORT: String(peer.port) }) };
}

/** How a manager executes a program, beyond its descriptors and the environment. */
export interface Execution {
  /** Variables that hold the process's own id. */
  readonly ownPid: readonly string[];
  /** IgnoreSIGPIPE= of systemd.exec(5), which is on: who writes to a client that has gone gets EPIPE and lives on. */
  readonly ignoresSigpipe: boolean;
}

/**
 * A command that starts the given one as systemd does: with its own process id in variables, since LISTEN_PID has to name the
 * process that reads it, and only that process knows its id before it runs; and with the soft limit of descriptors that
 * everything under systemd has (DefaultLimitNOFILE=), which Node has raised for itself. A shell becomes the program by exec,
 * which keeps the id.
 * @param env what the program is to find; a shell drops names that are none to it, so these go the way of env(1)
 */
export function executed(
  command: readonly string[],
  { ownPid, ignoresSigpipe }: Execution,
  env: Readonly<NodeJS.ProcessEnv>,
): [string, ...string[]] {
  // It fails where not even so many are allowed.
  const steps = [ignoresSigpipe ? "trap '' PIPE; " : "", "ulimit -S -n 1024 2>/dev/null; "];
  const start = `${steps.join("")}${ownPid.map((name) => `${name}=$$ `).join("")}exec`;
  const odd = Object.entries(env).filter(([name]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (odd.length === 0) return ["/bin/sh", "-c", `${start} "$0" "$@"`, ...command];
  const kept = odd.map(([name, value]) => `${name}=${value}`);
  // To env(1) a program with = in its path would be one more variable; nice(1) changes nothing here.
  const program = command[0]?.includes("=") ? ["nice", "-n", "0", ...command] : command;
  return ["/bin/sh", "-c", `${start} env -- "$0" "$@"`, ...kept, ...program] as [string, ...string[]];
}

export { FIRST_DESCRIPTOR };
