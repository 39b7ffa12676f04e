import { readFileSync } from "node:fs";

/** Names a running process for good, such as "1234-567890": its number and when it started, since numbers are used again. */
export function ownerOf(pid: number): string {
  return `${pid}-${startTime(pid)}`;
}

/** Whether the process of this name still runs. */
export function isAlive(owner: string): boolean {
  const pid = Number(owner.split("-")[0]);
  return ownerOf(pid) === owner;
}

// --- internal ---

/** In clock ticks after the boot of the host; undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is a program's name in brackets, which may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
