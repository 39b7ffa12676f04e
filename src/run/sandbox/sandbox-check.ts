import { readFileSync, readlinkSync } from "node:fs";
import type { Unit } from "../../../systemd/unit.ts";

/**
 * Which settings of a unit its process runs without: where the kernel, a container or the user's rights do not allow a
 * namespace, systemd goes on without it and only writes so to its log.
 * @returns them as they stand in the unit; undefined where the process cannot be looked at
 */
export function notApplied(unit: Unit, pid: number): string[] | undefined {
  try {
    const lacks = new Set(Object.keys(namespaces).filter((kind) => namespace(pid, kind) === namespace("self", kind)));
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    if (!/^Seccomp:\t2$/m.test(status)) lacks.add("seccomp");
    // To a user's manager the kernel gives no other view of the processes, and systemd does not say so.
    if (!/[ ,]hidepid=/.test(readFileSync(`/proc/${pid}/mountinfo`, "utf8"))) lacks.add("proc");
    const names = new Set([...lacks].flatMap((kind) => settings[kind] ?? []));
    return unit.entries
      .filter(({ section, name, value }) => section === "Service" && names.has(name) && value !== "no")
      .map(({ name, value }) => `${name}=${value}`);
  } catch {
    return undefined;
  }
}

// --- internal ---

const namespaces = {
  user: ["PrivateUsers"],
  mnt: [
    ...["ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts", "NoExecPaths"],
    ...["ProtectControlGroups", "ProtectKernelTunables"],
  ],
  net: ["PrivateNetwork"],
  ipc: ["PrivateIPC"],
} as const;

const settings: Readonly<Record<string, readonly string[]>> = {
  ...namespaces,
  proc: ["ProtectProc"],
  seccomp: ["RestrictAddressFamilies", "SystemCallFilter", "SystemCallArchitectures", "RestrictNamespaces"],
};

function namespace(pid: number | "self", kind: string): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}
