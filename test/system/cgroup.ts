import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** Where systemd-nspawn sorts processes on this host: the unified hierarchy and, where the host still has it, systemd's own of version 1. */
export function cgroupHierarchies(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2 /.test(line) || / - cgroup .*\bname=systemd\b/.test(line))
    .map((line) => line.split(" ")[4]!);
}

/**
 * Removes the cgroup with all below, waiting until its dying processes are gone.
 * @throws the system's error when they do not go within five seconds
 */
export function removeCgroup(path: string): void {
  const deadline = performance.now() + 5_000;
  while (existsSync(path)) {
    try {
      removeTree(path);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

// --- internal ---

/** Only the folders: a cgroup's files cannot be removed and go with it. */
function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  }
  rmdirSync(path);
}
