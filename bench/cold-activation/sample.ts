/** Imports nothing but Node's own modules: it also runs inside the machine of through-systemd.ts. */
import { readFileSync } from "node:fs";

/** What one round of one server gave. */
export interface Sample {
  readonly milliseconds: number;
  /** Right after the first answer. */
  readonly memory?: Memory;
}

/** In megabytes of 10^6 bytes. */
export interface Memory {
  readonly resident: number;
  /** The part that belongs to this process alone: without the pages of its executable and libraries, which the system can drop and share. */
  readonly own: number;
}

/** VmRSS and RssAnon of proc_pid_status(5). */
export function readMemory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number => {
    const [, kibibytes] = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)!;
    return (Number(kibibytes) * 1024) / 1e6;
  };
  return { resident: field("VmRSS"), own: field("RssAnon") };
}
