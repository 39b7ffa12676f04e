/** What proc(5) tells of other processes; empty where there is none (macOS), or it may not be known. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export function allProcesses(): number[] {
  return listed("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** The sixth field of stat; the second is a name in brackets that may have blanks and brackets. */
export function sessionOf(pid: number): number | undefined {
  const stat = content(`/proc/${pid}/stat`);
  return stat === "" ? undefined : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
}

/** The inodes of its sockets. */
export function socketsOf(pid: number): number[] {
  const folder = `/proc/${pid}/fd`;
  return listed(folder).flatMap((name) => {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${name}`)) ?? [];
      return inode === undefined ? [] : [Number(inode)];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}

/** Whether it was started with that variable, which its children have too unless they were given others. */
export function hasVariable(pid: number, name: string, value: string): boolean {
  return content(`/proc/${pid}/environ`).split("\0").includes(`${name}=${value}`);
}

// --- internal ---

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function content(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
