import type { Unit } from "../../../systemd/unit.ts";
import type { Failure } from "./failure.ts";
import { HOMES, isBelow, TEMPORARY } from "./sandbox-layout.ts";

export interface Confinement {
  /** With the settings that the program runs under. */
  readonly unit: Unit;
  /** Of the project. */
  readonly root: string;
  readonly outside: Outside;
}

/** The machine, as the launcher sees it. */
export interface Outside {
  exists(path: string): boolean;
  /** On a file system that nobody writes to here either. */
  isReadOnly(path: string): boolean;
  /** Whether everybody may read it, or look into it. */
  isOpenToAll(path: string): boolean;
  /** Of the program in PATH, or of the path itself. */
  isExecutable(program: string): boolean;
}

export interface Verdict {
  /** Names of directives, or NAME=value where a directive has several. Empty: it is no setting, but what an installed service lacks. */
  readonly settings: readonly string[];
  readonly mend: string;
  /** Of the definition: what decides it. */
  readonly key?: string;
  readonly what?: string;
  readonly isGuess?: boolean;
}
/** Undefined: it has nothing to say. */
export type Rule = (failure: Failure, confinement: Confinement) => Verdict | "not the sandbox" | undefined;

export const NO_KEY = "no key of the definition allows it yet";
/** It brings ProtectSystem=strict and PrivateTmp=yes with it (systemd.exec(5)): without those alone nothing changes. */
const IMPLYING = ["DynamicUser"];
const OUTBOUND = 'set permissions: { network: "outbound" }, which lets it connect out and resolve names';

/** The first one that has something to say is right. A setting that the unit lacks is left out, and a rule of which none is left says nothing. */
export const denialRules: readonly Rule[] = [
  // Files.
  ({ code, subject }, { outside }) =>
    code === "ENOENT" && subject.startsWith("/") && !outside.exists(subject) ? "not the sandbox" : undefined,
  ({ code, subject, text }, { root, outside }) =>
    ["ENOENT", "EACCES"].includes(code) && isBelow(subject, [root]) && outside.exists(subject)
      ? {
          settings: [],
          what: `${text}: a file of the project, and an installed service has none of them`,
          mend: "import it, so that it is in the bundle (docs/executable.md); what the program writes belongs in its state directory",
        }
      : undefined,
  ({ code, subject }) =>
    ["EACCES", "ENOENT", "EROFS"].includes(code) && isBelow(subject, HOMES)
      ? {
          settings: ["ProtectHome"],
          key: "directories",
          mend: "what it writes belongs into a directory of its own (directories: { state: true }), a secret into credentials; nothing allows it to read homes yet",
        }
      : undefined,
  ({ code, subject }, { outside }) =>
    code === "ENOENT" && isBelow(subject, TEMPORARY) && outside.exists(subject)
      ? {
          settings: ["PrivateTmp", ...IMPLYING],
          mend: `the service has a /tmp of its own: share files by a directory or a socket; ${NO_KEY}`,
        }
      : undefined,
  ({ code, call, subject }) =>
    call !== "spawn" && ["ENOENT", "EPERM"].includes(code) && isBelow(subject, ["/dev"])
      ? {
          settings: [code === "ENOENT" ? "PrivateDevices" : "DevicePolicy"],
          mend: `it has only devices like /dev/null; ${NO_KEY} (permissions.devices)`,
        }
      : undefined,
  ({ code, subject }, { outside }) =>
    ["ENOENT", "EACCES", "EPERM"].includes(code) && /^\/proc\/\d+(\/|$)/.test(subject) && outside.exists(subject)
      ? { settings: ["ProtectProc"], mend: `it sees no process of another user; ${NO_KEY}` }
      : undefined,
  ({ code, subject }) =>
    ["EACCES", "EPERM"].includes(code) && subject === "/proc/kmsg"
      ? { settings: ["ProtectKernelLogs"], mend: NO_KEY }
      : undefined,
  ({ code, subject }) =>
    code === "EROFS" && isBelow(subject, ["/sys/fs/cgroup"])
      ? { settings: ["ProtectControlGroups"], mend: NO_KEY }
      : undefined,
  ({ code, subject }) =>
    code === "EROFS" && isBelow(subject, ["/proc", "/sys"])
      ? { settings: ["ProtectKernelTunables"], mend: NO_KEY }
      : undefined,
  ({ code, subject }, { outside, unit }) =>
    code !== "EROFS"
      ? undefined
      : outside.isReadOnly(subject)
        ? "not the sandbox"
        : { settings: ["ProtectSystem", ...IMPLYING], ...directoryFor(subject, unit) },
  ({ call, code }) =>
    ["chown", "fchown", "lchown"].includes(call) && code === "EPERM"
      ? { settings: ["SystemCallFilter=~@privileged"], mend: `it cannot give files away; ${NO_KEY}` }
      : undefined,
  ({ code, call, subject }, { outside, unit }) =>
    code === "EACCES" && fileCalls.has(call) && subject.startsWith("/")
      ? outside.isOpenToAll(subject)
        ? { settings: ["ProtectSystem", ...IMPLYING], isGuess: true, ...directoryFor(subject, unit) }
        : {
            settings: ["DynamicUser"],
            key: "credentials",
            mend: "the service runs as a user of its own: hand a secret over by credentials, or let everybody read the file",
          }
      : undefined,
  ({ code, call, subject }, { outside }) =>
    code === "EACCES" && call === "connect" && subject.startsWith("/") && !outside.isOpenToAll(subject)
      ? {
          settings: ["DynamicUser"],
          mend: `the service runs as a user of its own: let everybody connect to that socket; ${NO_KEY}`,
        }
      : undefined,
  // Programs.
  ({ code, call, subject }, { outside }) =>
    call === "spawn" && code === "EACCES" && outside.isExecutable(subject)
      ? { settings: ["NoExecPaths"], mend: `it may execute nothing but itself; ${NO_KEY} (subprocesses)` }
      : undefined,
  ({ call }) =>
    call === "dlopen"
      ? { settings: ["NoExecPaths"], isGuess: true, mend: `no code is loaded from there; ${NO_KEY}` }
      : undefined,
  // The network.
  ({ code, call }, { unit }) =>
    call === "uv_interface_addresses" && code === "EAFNOSUPPORT"
      ? {
          settings: ["RestrictAddressFamilies"],
          key: "permissions.network",
          mend: hasNetwork(unit) ? NO_KEY : OUTBOUND,
        }
      : undefined,
  ({ code, call }, { unit }) =>
    ["listen", "bind"].includes(call) && ["EAFNOSUPPORT", "EPERM"].includes(code) && !hasNetwork(unit)
      ? {
          settings: ["RestrictAddressFamilies", "PrivateNetwork"],
          key: "sockets",
          mend: "it may listen on passed sockets alone: add it to sockets, with adopt for what listens by itself",
        }
      : undefined,
  ({ code, call, subject }) =>
    ["listen", "bind"].includes(call) && code === "EACCES" && Number(/:(\d+)$/.exec(subject)?.[1]) < 1024
      ? {
          settings: ["CapabilityBoundingSet", "DynamicUser"],
          key: "sockets",
          mend: "systemd opens such a port for it: add it to sockets, with adopt for what listens by itself",
        }
      : undefined,
  ({ code, call, subject }, { unit }) =>
    ["connect", "send", "socket"].includes(call) && !subject.startsWith("/") && refusals.has(code) && !hasNetwork(unit)
      ? {
          settings: ["RestrictAddressFamilies", "PrivateNetwork", "IPAddressDeny"],
          key: "permissions.network",
          mend: OUTBOUND,
        }
      : undefined,
  ({ call }, { unit }) =>
    /^getaddrinfo$|^query/.test(call) && !hasNetwork(unit)
      ? { settings: ["RestrictAddressFamilies", "PrivateNetwork"], key: "permissions.network", mend: OUTBOUND }
      : undefined,
  // What only a filter of system calls denies.
  ({ call, code }) =>
    call === "uv_os_setpriority" && code === "EPERM"
      ? { settings: ["SystemCallFilter=~@privileged @resources"], mend: `it cannot change priorities; ${NO_KEY}` }
      : undefined,
  ({ call, code }) =>
    /^set|^init/.test(call) && code === "EPERM"
      ? {
          settings: ["SystemCallFilter=~@privileged"],
          mend: "it runs as a user of its own from the start; leave that out",
        }
      : undefined,
];

// --- internal ---

const refusals: ReadonlySet<string> = new Set(["EAFNOSUPPORT", "ENETUNREACH", "EPERM", "EACCES"]);
const fileCalls: ReadonlySet<string> = new Set([
  ...["open", "scandir", "opendir", "stat", "lstat", "access", "readlink", "mkdir", "unlink", "rename", "copyfile"],
  ...["rmdir", "symlink", "link", "chmod", "utime", "realpath", "mkdtemp"],
]);

/** The directory of its own that a path of the system stands for. */
function directoryFor(path: string, { entries }: Unit): Pick<Verdict, "key" | "mend"> {
  const kind = isBelow(path, ["/var/cache"]) ? "cache" : isBelow(path, ["/var/log"]) ? "logs" : "state";
  const hasIt = entries.some(({ name }) => name.toLowerCase() === `${kind}directory`);
  const place = `below $${kind.toUpperCase()}_DIRECTORY; what need not stay may go to /tmp`;
  if (hasIt) return { mend: `write ${place}` };
  return { key: `directories.${kind}`, mend: `set directories: { ${kind}: true } and write ${place}` };
}

function hasNetwork({ entries }: Unit): boolean {
  return entries.some(({ name, value }) => name === "RestrictAddressFamilies" && /\bAF_INET\b/.test(value));
}
