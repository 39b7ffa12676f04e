import { readdirSync, readFileSync } from "node:fs";

/** The host's processes with this name in their command line or cgroup, one line each; not those that are dead and wait for their parent. */
export function processesOf(name: string): string[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        const cgroup = readFileSync(`/proc/${pid}/cgroup`, "utf8");
        const dead = commandLine === "";
        return !dead && `${commandLine}${cgroup}`.includes(name) ? [`${pid} ${commandLine}`] : [];
      } catch {
        return [];
      }
    });
}
