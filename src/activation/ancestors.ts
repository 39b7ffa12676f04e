import { readFileSync } from "node:fs";

/**
 * The command line of a process that has started this one, directly or not; undefined where it has not, or nobody knows
 * (proc(5), Linux only).
 */
export function ancestorCommand(pid: number): string | undefined {
  try {
    for (let one = process.ppid, steps = 0; one > 1 && steps < 16; one = parentOf(one), steps++) {
      if (one === pid) return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    }
  } catch {
    // It has ended meanwhile, or /proc hides it.
  }
  return pid === process.ppid ? "its parent" : undefined;
}

// --- internal ---

/** The program's name, in parentheses, may have spaces and parentheses of its own. */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
