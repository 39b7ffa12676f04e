import type { Service } from "../src/service.ts";
import { environmentFilePath } from "./names.ts";
import { type Program, serviceUnit } from "./service-unit.ts";
import { socketUnit } from "./socket-unit.ts";
import { forVersion, type Unit } from "./unit.ts";

/** All units of a service, for the oldest systemd that its definition names: the sockets, then the service. */
export function emitUnits(service: Service, program: Program): Unit[] {
  const units = [...service.sockets.map((socket) => socketUnit(service, socket)), serviceUnit(service, program)];
  return units.map((unit) => forVersion(unit, service.systemd.minimumVersion));
}

/**
 * The administrator's file of environment variables. It is a conffile, so its text is the same for every version: a
 * change in one that the administrator edited would stop an unattended upgrade with a question.
 */
export function environmentFile(service: Service): { path: string; text: string } {
  return {
    path: environmentFilePath(service),
    text: [
      `# Environment variables of ${service.name}.service, one NAME=value a line.`,
      "# What stands here wins over what the unit sets; `systemctl cat` shows that.",
      `# Afterwards: systemctl restart ${service.name}.service`,
      "#",
      "# LOG_LEVEL=debug",
      "",
    ].join("\n"),
  };
}
