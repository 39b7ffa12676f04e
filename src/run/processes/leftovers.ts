import { fstatSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Problem } from "../../problem.ts";
import { commandOf } from "../sockets/open/holder.ts";
import type { Child } from "./child.ts";
import { allProcesses, hasVariable, sessionOf, socketsOf } from "./processes.ts";

/**
 * Sees to what a process of a service has left running in sessions of their own: at the end of the service systemd kills all
 * that it has started (systemd.kill(5), KillMode=). What has a socket of the run is killed here too, as it would take
 * connections from whoever is started next. Of the rest a person is told: it may be a browser that the program has opened.
 * @param child has ended; without an invocation id there is no manager that would do so
 * @param sockets descriptors of the launcher
 * @returns resolves when it is clear which of them do not end by themselves; undefined where there are none
 */
export function endLeftovers(
  { pid: main, invocation }: Pick<Child, "pid" | "invocation">,
  sockets: readonly number[],
  tell: (problem: Problem) => void,
): Promise<void> | undefined {
  if (invocation === undefined) return undefined;
  const inodes = new Set(sockets.flatMap(inodeOf));
  // Ids ascend, until they start again from below; then one may be overlooked.
  const left = allProcesses().filter(
    (pid) => pid > main && hasVariable(pid, "INVOCATION_ID", invocation) && sessionOf(pid) !== main,
  );
  for (const pid of left) if (socketsOf(pid).some((inode) => inodes.has(inode))) kill(pid);
  return left.length === 0 ? undefined : tellOf(left, invocation, (...found) => tell(leftRunning(...found, main)));
}

// --- internal ---

function inodeOf(fd: number): number[] {
  try {
    return [fstatSync(fd).ino];
  } catch {
    return []; // The run is over, and has closed it.
  }
}

/** Milliseconds for a process to see that its parent has gone. */
const PATIENCE = 300;

async function tellOf(left: readonly number[], invocation: string, tell: (pid: number, command: string) => void) {
  await sleep(PATIENCE);
  for (const pid of left) {
    const command = hasVariable(pid, "INVOCATION_ID", invocation) ? commandOf(pid) : undefined;
    if (command !== undefined) tell(pid, command);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

function leftRunning(pid: number, command: string, main: number): Problem {
  return {
    code: "left-running",
    what: `process ${pid} (${command}), which process ${main} has started, lives on: systemd would have killed it with the service`,
    mend: `end what the program starts when the program ends; to end it now: kill ${pid}`,
  };
}
