import type { Address, Service, ServiceSocket } from "../src/service.ts";
import { plainText } from "./escape.ts";
import { serviceUnitName, socketUnitName } from "./names.ts";
import { section, type Unit } from "./unit.ts";

/** The .socket unit (systemd.socket(5)) of one named socket: systemd gives a name per unit, so each has its own. */
export function socketUnit(service: Service, socket: ServiceSocket): Unit {
  const unix = socket.listen.some(({ type }) => type === "unix");
  const freeBind = socket.freeBind ?? socket.listen.some(isSpecific);
  return {
    name: socketUnitName(service, socket),
    kind: "socket",
    entries: [
      ...section("Unit", [["Description", plainText(`${service.description}, socket ${socket.name}`)]]),
      ...section("Socket", [
        ...socket.listen.map(
          (address) => [address.type === "udp" ? "ListenDatagram" : "ListenStream", listenValue(address)] as const,
        ),
        ["FileDescriptorName", plainText(socket.name)],
        ["Service", serviceUnitName(service)],
        ["Backlog", socket.backlog?.toString()],
        ["NoDelay", socket.noDelay ? "yes" : undefined],
        // A specific address may come up after the socket does.
        ["FreeBind", freeBind ? "yes" : undefined],
        ["SocketMode", socket.mode],
        ["SocketGroup", socket.group && plainText(socket.group)],
        ["RemoveOnStop", unix ? "yes" : undefined],
        // With a limit, a program that exits without accepting fails the socket, and the port closes for good.
        ["TriggerLimitIntervalSec", "0"],
      ]),
      ...section("Install", [["WantedBy", "sockets.target"]]),
    ],
  };
}

// --- internal ---

function listenValue(address: Address): string {
  if (address.type === "unix") return plainText(address.path);
  if (address.host === undefined) return String(address.port);
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return plainText(`${host}:${address.port}`); // An IPv6 zone has a percent sign.
}

function isSpecific(address: Address): boolean {
  if (address.type === "unix" || address.host === undefined) return false;
  return address.host !== "0.0.0.0" && address.host !== "::";
}
