import { built } from "./built.ts";

/** systemd's own default since 247, and the most that Linux allows by default since 5.4 (net.core.somaxconn). */
const DEFAULT_BACKLOG = 4096;

/** Of a socket whose backlog the kernel does not tell: what its unit was built with. */
export function backlogOf(name: string): number {
  return built?.sockets[name]?.backlog ?? DEFAULT_BACKLOG;
}
