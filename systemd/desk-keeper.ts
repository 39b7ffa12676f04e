import type { Service } from "../src/service.ts";
import type { Desk, DeskUnits } from "./desk-units.ts";
import { execArgument } from "./escape.ts";
import { section, type Unit } from "./unit.ts";

/**
 * A unit whose life is the launcher's, and which tidies up after it, however it ended: its process reads from a FIFO that only
 * the launcher writes to. It belongs to the manager, so that it outlives the launcher's terminal and control group.
 * @param folder of the run, which goes with it
 * @param fifo the launcher has it open for writing before the unit is started; closing it ends the run
 * @param fileOf where the manager has a unit
 */
export function keeper(
  service: Service,
  desk: Desk,
  units: DeskUnits,
  folder: string,
  fifo: string,
  fileOf: (unit: Pick<Unit, "name">) => string,
): Unit {
  const name = `${desk.run}-keeper.service`;
  const systemctl = desk.manager === "user" ? "systemctl --user" : "systemctl";
  const all = [...units.sockets, units.service, ...units.helpers];
  const names = all.map((unit) => unit.name).join(" ");
  const script = [
    `${systemctl} stop ${names}`,
    `${systemctl} reset-failed ${names} 2>/dev/null`,
    'rm -f "$@"',
    // The folder of the credentials may not be written to.
    'chmod -R u+w "$0"',
    // systemd makes the mount points of what is bound outside, too.
    `rm -rf "$0" /tmp/${desk.run}`,
  ].join("; ");
  const ofRun = (parent: string): string[] => [`"${parent}/${desk.run}"`, `"${parent}/private/${desk.run}"`];
  const files = [...all, { name }].map((unit) => execArgument(fileOf(unit)));
  const entries = [
    ...section("Unit", [
      ["Description", `rouse run --sandbox, ${service.name}: tidies up when the run ends`],
      ["CollectMode", "inactive-or-failed"],
    ]),
    ...section("Service", [
      // Forking: a launcher that is gone by now leaves nobody to open the FIFO with, and the start times out.
      ["Type", "forking"],
      ["TimeoutStartSec", "10s"],
      ["ExecStart", `/bin/sh -c ${execArgument('exec 3<"$0"; cat <&3 >/dev/null &')} ${execArgument(fifo)}`],
      ["ExecStopPost", ["-/bin/sh -c", execArgument(script), execArgument(folder), ...files].join(" ")],
      // State, cache, logs and configuration of a run are the run's. (systemctl clean wants a D-Bus, which a user may not have.)
      ["ExecStopPost", ["-/bin/rm -rf", ...["%S", "%C", "%L", "%E"].flatMap(ofRun)].join(" ")],
      ["TimeoutStopSec", `${service.stopTimeout + 30}s`],
    ]),
  ];
  return { name, kind: "service", entries };
}
