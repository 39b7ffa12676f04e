import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Does the work while no other process holds the lock of this file; the kernel gives the lock back when this process dies.
 * @throws what the work throws; an Error when flock(1) fails
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  // Node has no flock(2). The helper ends, and with it the lock, when its standard input closes.
  const holder = spawn("flock", [path, "sh", "-c", "echo locked; exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(holder, "exit");
  const [first] = await Promise.race([once(holder.stdout, "data"), exited]);
  if (String(first).trim() !== "locked") throw new Error(`flock ${path} failed`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await exited;
  }
}
