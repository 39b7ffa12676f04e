import type { Exit } from "./processes/child.ts";
import type { Group, RunContext } from "./processes/group.ts";
import { serveByOneProcess } from "./processes/one-process.ts";
import { serveByProcessPerConnection } from "./processes/process-per-connection.ts";
import type { OpenSocket } from "./sockets.ts";

/** All that serves in a run: its groups, from the first start to the last end. */
export interface Session extends Omit<Group, "sockets" | "ended"> {
  /** How the program has ended: the one that serves, where there is one that was started at once; else the last one. */
  readonly ended: Promise<Exit>;
}

/** @param lazy nothing is started before the first connection */
export function createSession(context: RunContext, sockets: readonly OpenSocket[], lazy: boolean): Session {
  const groups = grouped(context, sockets, lazy);
  let hasBegun = false;
  let isStopping = false;

  function stop(signal: NodeJS.Signals): void {
    isStopping = true;
    for (const group of groups) group.stop(signal);
  }

  return {
    async begin() {
      hasBegun = true;
      for (const group of groups) if (!isStopping) await group.begin();
    },
    async restart() {
      if (isStopping) return;
      if (!hasBegun) await this.begin();
      else await Promise.all(groups.map((group) => group.restart()));
    },
    signal(signal) {
      for (const group of groups) group.signal(signal);
    },
    stop,
    kill() {
      isStopping = true;
      for (const group of groups) group.kill();
    },
    get pids() {
      return groups.flatMap(({ pids }) => pids);
    },
    ended: endOf(groups, stop),
  };
}

// --- internal ---

function grouped(context: RunContext, sockets: readonly OpenSocket[], lazy: boolean): Group[] {
  const each = sockets.filter(({ accept }) => accept === "connection");
  const shared = sockets.filter(({ accept }) => accept === undefined);
  const perConnection = each.map((socket) => serveByProcessPerConnection(context, socket));
  // inetd knows a service by its socket.
  if (context.as === "inetd") {
    return [...shared.map((socket) => serveByOneProcess(context, [socket], true)), ...perConnection];
  }
  if (shared.length === 0 && each.length > 0) return perConnection;
  return [serveByOneProcess(context, shared, lazy && shared.length > 0), ...perConnection];
}

/** The first group that ends by itself ends the run. */
async function endOf(groups: readonly Group[], stop: (signal: NodeJS.Signals) => void): Promise<Exit> {
  try {
    await Promise.race(groups.map(({ ended }) => ended));
  } finally {
    stop("SIGTERM");
  }
  const exits = await Promise.all(groups.map(({ ended }) => ended));
  return exits.find(({ code }) => code !== 0) ?? exits[0]!;
}
