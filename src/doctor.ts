import type { Host } from "./doctor/host.ts";
import { examineManagers } from "./doctor/managers.ts";
import { examineNode } from "./doctor/node.ts";
import { examinePrograms } from "./doctor/programs.ts";
import { examineSurroundings } from "./doctor/surroundings.ts";

export { describeHost, type Host } from "./doctor/host.ts";

/** One thing that a machine may have. */
export interface Check {
  readonly name: string;
  readonly found: boolean;
  readonly version?: string | undefined;
  /** Absolute. */
  readonly path?: string | undefined;
  /** What else is to be known of it, or why what is there does not count. */
  readonly detail?: string | undefined;
  /** What Rouse or its user can do with it. */
  readonly for: string;
  /** A command, or what to do; where it is not found. */
  readonly get?: string | undefined;
  /** Rouse itself cannot do without it. */
  readonly needed?: true | undefined;
}

/** Looks at a machine: every program is asked at the same time, and for no longer than the host's patience. Never throws for what it finds. */
export async function examine(host: Host): Promise<Check[]> {
  const found = await Promise.all([
    examineNode(host),
    examineSurroundings(host),
    examineManagers(host),
    examinePrograms(host),
  ]);
  // For whoever reads the JSON: in one order.
  return found.flat().map(({ name, found, version, path, detail, for: purpose, get, needed }) => {
    return { name, found, version, path, detail, for: purpose, get, needed };
  });
}
