/**
 * The units of a service for one run on a developer's machine (`rouse run --sandbox`): the same sandbox, with what the desk needs
 * around it. Nothing that it changes makes the sandbox wider, except the files that are bound in and what a user's manager cannot do.
 */
import type { Service } from "../src/service.ts";
import { execArgument, pathItem, plainText } from "./escape.ts";
import { emitUnits } from "./manifests.ts";
import { type Entry, section, type Unit } from "./unit.ts";

export interface Desk {
  readonly manager: ManagerKind;
  /** Names the units, and the directories of the service, so that nothing of an installed one is touched. */
  readonly run: string;
  /** The program and its arguments, as absolute paths inside of the sandbox. */
  readonly command: readonly [string, ...string[]];
  readonly notifies: boolean;
  /** Files of the machine that the program consists of -> where the sandbox sees them. */
  readonly files: ReadonlyMap<string, string>;
  /** Sockets and files of the manager itself that ProtectHome= would take away: a user's lie in /run/user. */
  readonly managers: readonly string[];
  /** Folders whose contents an installed service does not have: inside they are empty. */
  readonly hidden: readonly string[];
  /** Of the run instead of the installed service's: where there is one, and name -> file. */
  readonly environmentFile: string | undefined;
  readonly credentials: ReadonlyMap<string, string>;
  /** Unix sockets that listen for what is written; each process connects anew, so that a launcher that is gone delays nothing. */
  readonly output: { readonly stdout: string; readonly stderr: string; readonly said: string };
  /** Each start of the program waits for this file, and takes it away. */
  readonly go: string;
}

export type ManagerKind = "system" | "user";

export interface DeskUnits {
  readonly sockets: readonly Unit[];
  readonly service: Unit;
  /** The service pulls them in: each start of it waits for the first, each end starts another. */
  readonly helpers: readonly Unit[];
  /** Settings of the sandbox that this manager cannot apply, and so has not been given. */
  readonly unchecked: readonly string[];
}

export function deskUnits(service: Service, desk: Desk): DeskUnits {
  const [path, ...args] = desk.command;
  const units = emitUnits({ ...service, name: desk.run, args }, { path, notifies: desk.notifies });
  const emitted = units.find(({ kind }) => kind === "service")!;
  return {
    sockets: units.filter(({ kind }) => kind === "socket").map((unit) => forDesk(unit, desk)),
    service: {
      ...emitted,
      entries: [...emitted.entries.filter(isForDesk(desk)).map(forManager(desk)), ...additions(desk)],
    },
    helpers: [gate(desk), after(desk, "well"), after(desk, "badly")],
    unchecked: units
      .flatMap(({ entries }) => entries.filter(isBeyond(desk.manager)))
      .map(({ name, value }) => `${name}=${value}`),
  };
}

// --- internal ---

/** What a user's manager cannot do: measured with systemd 252 and 257. It takes some of them in silence, others are 217/USER or 226/NAMESPACE. */
const beyondUsers = ["DynamicUser", "IPAddressDeny", "DevicePolicy", "ProtectKernelLogs", "SocketGroup"];

const isBeyond =
  (manager: ManagerKind) =>
  ({ name }: Entry): boolean =>
    manager === "user" && beyondUsers.includes(name);

/** Nothing can be bound below what ProtectHome=yes takes away; with tmpfs it is as empty, and answers ENOENT instead of EACCES. */
function forManager({ manager }: Desk): (entry: Entry) => Entry {
  return (entry) => (manager === "user" && entry.name === "ProtectHome" ? { ...entry, value: "tmpfs" } : entry);
}

function forDesk(unit: Unit, desk: Desk): Unit {
  return { ...unit, entries: unit.entries.filter(isForDesk(desk)) };
}

function isForDesk(desk: Desk): (entry: Entry) => boolean {
  // The launcher decides what happens after an exit; the files are the installed service's.
  const others = ["EnvironmentFile", "LoadCredential", "Restart", "RestartSec", "RestartSteps", "RestartMaxDelaySec"];
  return (entry) => entry.section !== "Install" && !others.includes(entry.name) && !isBeyond(desk.manager)(entry);
}

function additions(desk: Desk): Entry[] {
  const { files, managers, hidden, output, environmentFile, credentials } = desk;
  return [
    ...section("Unit", [
      ["Requires", gateName(desk)],
      ["After", gateName(desk)],
      ["OnSuccess", afterName(desk, "well")],
      ["OnFailure", afterName(desk, "badly")],
    ]),
    ...section("Service", [
      ["StandardOutput", `file:${plainText(output.stdout)}`],
      ["StandardError", `file:${plainText(output.stderr)}`],
      ["EnvironmentFile", environmentFile && plainText(environmentFile)],
      ...[...credentials].map(([name, file]) => ["LoadCredential", `${name}:${plainText(file)}`] as const),
      ...[...files].map(([from, to]) => ["BindReadOnlyPaths", `${pathItem(from)}:${pathItem(to)}`] as const),
      ...managers.map((path) => ["BindReadOnlyPaths", pathItem(path)] as const),
      ...hidden.map((path) => ["TemporaryFileSystem", `${pathItem(path)}:ro`] as const),
    ]),
  ];
}

const gateName = ({ run }: Desk): string => `${run}-gate.service`;
// One unit for both would not be told which it was.
const afterName = ({ run }: Desk, how: "well" | "badly"): string => `${run}-ended-${how}.service`;

/**
 * Says `start`. A unit of its own, because in a user's manager the commands of the service's unit would run in its sandbox, where there
 * is no shell; and what waits here is a start that systemd has queued, once, however many connections there are.
 */
function gate(desk: Desk): Unit {
  const wait = 'while ! rm "$0" 2>/dev/null; do sleep 0.1; done; echo start';
  return helper(gateName(desk), "lets the program start", desk, `${execArgument(wait)} ${execArgument(desk.go)}`);
}

/** Says `exited RESULT CODE STATUS` (systemd.exec(5), $MONITOR_SERVICE_RESULT and those beside it). */
function after(desk: Desk, how: "well" | "badly"): Unit {
  const say = 'echo "exited $MONITOR_SERVICE_RESULT $MONITOR_EXIT_CODE $MONITOR_EXIT_STATUS"';
  return helper(afterName(desk, how), "tells how the program has ended", desk, execArgument(say));
}

function helper(name: string, what: string, { output }: Desk, script: string): Unit {
  const entries = [
    ...section("Unit", [
      ["Description", `rouse run --sandbox: ${what}`],
      ["CollectMode", "inactive-or-failed"],
      ["StartLimitIntervalSec", "0"],
    ]),
    ...section("Service", [
      ["Type", "oneshot"],
      ["TimeoutStartSec", "infinity"],
      ["ExecStart", `/bin/sh -c ${script}`],
      ["StandardOutput", `file:${plainText(output.said)}`],
    ]),
  ];
  return { name, kind: "service", entries };
}
