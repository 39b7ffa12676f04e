import { fstatSync, readFileSync } from "node:fs";

/**
 * The path of a unix socket, or its abstract name with "@", as the kernel lists them: for a Node without node:ffi.
 * Undefined where it is none, or has none (proc_net(5); Linux only, and not from another network namespace).
 */
export function listedUnixPath(fd: number): string | undefined {
  try {
    const inode = fstatSync(fd).ino;
    // Num RefCount Protocol Flags Type St Inode Path
    const lines = readFileSync("/proc/net/unix", "utf8").matchAll(/^(?:\S+ +){6}(\d+) (.+)$/gm);
    return [...lines].find(([, number]) => Number(number) === inode)?.[2];
  } catch {
    return undefined;
  }
}
