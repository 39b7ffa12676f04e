import type { Service } from "../src/service.ts";
import { environmentAssignment, execArgument, execPath, plainText } from "./escape.ts";
import { environmentFilePath, serviceUnitName, socketUnitName } from "./names.ts";
import { sandbox } from "./sandbox.ts";
import { type Directive, section, type Unit } from "./unit.ts";

/** What the units must know of the program beyond its definition. */
export interface Program {
  /** Absolute path where it is installed. */
  readonly path: string;
  /** It tells systemd when it is ready (sd_notify(3)). */
  readonly notifies: boolean;
}

/** The .service unit (systemd.service(5)), sandboxed. */
export function serviceUnit(service: Service, program: Program): Unit {
  const sockets = service.sockets.map((socket) => socketUnitName(service, socket)).join(" ") || undefined;
  return {
    name: serviceUnitName(service),
    kind: "service",
    entries: [
      ...section("Unit", [
        ["Description", plainText(service.description)],
        ["Documentation", service.homepage && plainText(service.homepage)],
        // Requires= with several sockets: one that cannot bind would take the others down with it.
        [service.sockets.length > 1 || service.sockets[0]?.optional ? "Wants" : "Requires", sockets],
        ["After", sockets],
        ["After", service.permissions.network === "outbound" ? "network-online.target" : undefined],
        ["Wants", service.permissions.network === "outbound" ? "network-online.target" : undefined],
        // Without it the sixth crash in ten seconds fails the socket too, and the port closes.
        ["StartLimitIntervalSec", "0"],
      ]),
      ...section("Service", [
        ...process(service, program),
        ...(program.notifies ? conversation(service) : []),
        ...restart(service),
        ...directories(service),
        ...sandbox(program.path, service.permissions),
      ]),
      ...section("Install", [
        ["WantedBy", service.start === "boot" ? "multi-user.target" : undefined],
        ["Also", sockets],
      ]),
    ],
  };
}

// --- internal ---

function process(service: Service, program: Program): Directive[] {
  const environment = { NODE_ENV: "production", ...service.environment };
  return [
    ["Type", program.notifies ? notifyType(service) : "exec"],
    // For the package's scripts (systemd ignores X-): the running main process can start the workers of a new version. To be
    // counted up when what a supervisor and its workers say to each other changes (src/activation/channel.ts).
    ["X-WorkersHandOver", service.workers === 0 ? undefined : "1"],
    ["ExecStart", [execPath(program.path), ...service.args.map(execArgument)].join(" ")],
    ...Object.entries(environment).map(
      ([name, value]): Directive => ["Environment", environmentAssignment(name, value)],
    ),
    // After Environment=, so that the administrator has the last word. Never quoted: systemd would skip it in silence.
    ["EnvironmentFile", `-${environmentFilePath(service)}`],
    // The rest of the line is the path, never quoted: a quote would be a part of it.
    ...Object.entries(service.credentials).map(
      ([name, source]): Directive => ["LoadCredential", `${name}:${plainText(source)}`],
    ),
  ];
}

/** An older systemd takes notify-reload, in silence, for a service that tells nothing. */
function notifyType({ systemd: { minimumVersion } }: Service): "notify" | "notify-reload" {
  return minimumVersion >= 253 ? "notify-reload" : "notify";
}

/** What systemd and a program that notifies have to say to each other beyond READY=1. */
function conversation(service: Service): Directive[] {
  return [
    ["ExecReload", notifyType(service) === "notify" ? `+/bin/sh -c ${execArgument(hangup)}` : undefined],
    // Its signal stays SIGABRT: where the machine keeps core dumps, the one of a loop that hangs tells where.
    ["WatchdogSec", service.watchdog === undefined ? undefined : `${service.watchdog}s`],
    // With the default of 0 systemd would close in silence what the program gives it to keep.
    ["FileDescriptorStoreMax", "64"],
  ];
}

/**
 * Sent from outside of the sandbox (`+`), which lets nothing but the program be executed. Where RELOADING=1 comes before this
 * command ends, systemd takes the reload for done at READY=1, and so `systemctl reload` waits for it; half a second is long
 * for an event loop that is alive. From 253 on notify-reload does both by itself.
 */
const hangup = "kill -HUP $MAINPID && sleep 0.5";

function restart({ stopTimeout }: Service): Directive[] {
  return [
    ["Restart", "on-failure"],
    ["RestartSec", "1"],
    // The two belong together: each without the other has no effect.
    ["RestartSteps", "5", 254],
    ["RestartMaxDelaySec", "30", 254],
    ["TimeoutStopSec", `${stopTimeout}s`],
    // SIGTERM to the main process only; it tells its own children.
    ["KillMode", "mixed"],
  ];
}

function directories({ name, directories: { state, cache, logs, configuration } }: Service): Directive[] {
  const pair = (wanted: boolean, directive: string): Directive[] =>
    wanted
      ? [
          [directive, name],
          [`${directive}Mode`, "0700"],
        ]
      : [];
  return [
    ...pair(state, "StateDirectory"),
    ...pair(cache, "CacheDirectory"),
    ...pair(logs, "LogsDirectory"),
    ...(configuration ? ([["ConfigurationDirectory", name]] satisfies Directive[]) : []),
  ];
}
