import { assemble, type Listing } from "./assemble.ts";
import { arm64 } from "./code-arm64.ts";
import { x64 } from "./code-x64.ts";
import type { Job } from "./job.ts";
import { writeSharedObject } from "./shared-object.ts";
import { writeTable } from "./table.ts";

/** launch_activate_socket(3) for one job, as a shared library for Linux. */
export function linuxLibrary(machine: "x64" | "arm64", job: Job): Buffer {
  const { listing, ...kind } = machines[machine];
  return writeSharedObject({
    ...kind,
    name: "librouse-launchd.so",
    exported: "launch_activate_socket",
    imported: "malloc",
    code: ({ data, imported }) => assemble(listing, { table: data, malloc: imported }),
    data: writeTable(job),
  });
}

// --- internal ---

interface Machine {
  readonly listing: Listing;
  readonly machine: number;
  readonly globalData: number;
}

/** e_machine, and R_X86_64_GLOB_DAT or R_AARCH64_GLOB_DAT. */
const machines: Readonly<Record<"x64" | "arm64", Machine>> = {
  x64: { listing: x64, machine: 62, globalData: 6 },
  arm64: { listing: arm64, machine: 183, globalData: 1025 },
};
