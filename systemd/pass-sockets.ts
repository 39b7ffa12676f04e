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

/**
 * A command that starts the given one with its own process id in the named variables: LISTEN_PID has to name the process
 * that reads it, and only that process knows its id before it runs. A shell becomes the program by exec, which keeps the id.
 * @param env what the program is to find; a shell drops names that are none to it, so these go the way of env(1)
 */
export function withOwnPid(
  command: readonly string[],
  variables: readonly string[],
  env: Readonly<NodeJS.ProcessEnv>,
): [string, ...string[]] {
  if (variables.length === 0) return command as [string, ...string[]];
  const assignments = variables.map((name) => `${name}=$$`).join(" ");
  const odd = Object.entries(env).filter(([name]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (odd.length === 0) return ["/bin/sh", "-c", `${assignments} exec "$0" "$@"`, ...command];
  const kept = odd.map(([name, value]) => `${name}=${value}`);
  return ["/bin/sh", "-c", `${assignments} exec env "$0" "$@"`, ...kept, ...command] as [string, ...string[]];
}

export { FIRST_DESCRIPTOR };
