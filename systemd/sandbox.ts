import type { Permissions } from "../src/service.ts";
import type { Directive } from "./unit.ts";

/**
 * The sandbox of a service (systemd.exec(5)): everything that Node with V8's JIT runs without. `systemd-analyze security`
 * calls it 0.2 with network "none". What is missing on purpose: MemoryDenyWriteExecute= kills V8, ProcSubset=pid empties os.cpus().
 *
 * @param program absolute path of the executable, the one file outside of the system's libraries that may be executed
 */
export function sandbox(program: string, permissions: Permissions): Directive[] {
  return [
    ["DynamicUser", "yes"],
    ["UMask", "0077"],
    ["CapabilityBoundingSet", ""],
    ["AmbientCapabilities", ""],
    ["NoNewPrivileges", "yes"],
    ["RestrictSUIDSGID", "yes"],
    ["RemoveIPC", "yes"],
    ["PrivateIPC", "yes"],
    ["KeyringMode", "private"],
    ["ProtectSystem", "strict"],
    ["ProtectHome", "yes"],
    ["PrivateTmp", "yes"],
    ["PrivateDevices", "yes"],
    ["DevicePolicy", "closed"],
    ["PrivateMounts", "yes"],
    ["ProtectProc", "invisible"],
    ["NoExecPaths", "/"],
    // Without the minus a path that is not there, /lib64 on arm64 say, stops the service with 226/NAMESPACE.
    ["ExecPaths", `${program} -/usr/lib -/usr/lib64 -/lib -/lib64`],
    ["ProtectClock", "yes"],
    ["ProtectControlGroups", "yes"],
    ["ProtectHostname", "yes"],
    ["ProtectKernelLogs", "yes"],
    ["ProtectKernelModules", "yes"],
    ["ProtectKernelTunables", "yes"],
    ["LockPersonality", "yes"],
    ["RestrictRealtime", "yes"],
    ["RestrictNamespaces", "yes"],
    ["PrivateUsers", "yes"],
    ...network[permissions.network],
    ["SystemCallArchitectures", "native"],
    ["SystemCallFilter", "@system-service"],
    ["SystemCallFilter", "~@privileged @resources"],
    // Without it the first refused call ends the process; Node asks and goes on.
    ["SystemCallErrorNumber", "EPERM"],
  ];
}

// --- internal ---

const network: Record<Permissions["network"], Directive[]> = {
  // Passed sockets work all the same. AF_UNIX is how the program tells systemd that it is ready.
  none: [
    ["PrivateNetwork", "yes"],
    ["IPAddressDeny", "any"],
    ["RestrictAddressFamilies", "AF_UNIX"],
  ],
  // AF_NETLINK: getaddrinfo asks it which addresses the machine has.
  outbound: [["RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"]],
};
