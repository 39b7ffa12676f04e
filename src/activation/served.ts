import type { OwnedSocket } from "./passed-socket.ts";

/** What the program serves with: a server, or a datagram socket. */
export interface Served {
  /** Listens on each of them. */
  listen(sockets: readonly OwnedSocket[]): Promise<void>;
  /** In this very tick: what comes from now on is left to the next process. */
  stopAccepting(): void;
  /** Whether a connection is open. */
  isBusy(): boolean;
  /**
   * Stops accepting, answers what was received, and resolves when every connection has ended; after `deadline`
   * milliseconds it destroys what is left. Rejects never.
   */
  drain(deadline: number): Promise<void>;
}

/** Hears of everything that is received, and of the end of each connection. */
export interface Traffic {
  touch(): void;
}
