import type { Problem } from "../problem.ts";
import type { Service } from "../service.ts";

/**
 * Whether the program tells the service manager of itself. Our runtime does so, imported or brought in by `adopt`, once the
 * sockets are listened on: where there are none, nobody would.
 */
export function tellsManager(service: Service, importsRuntime: boolean): boolean {
  return hasRuntime(service, importsRuntime) && service.sockets.length > 0;
}

/** The keys that only our runtime fulfils, in a definition whose program does not have it. */
export function needsRuntime(service: Service, importsRuntime: boolean): Problem[] {
  if (tellsManager(service, importsRuntime)) return [];
  const asked = [
    [
      "watchdog",
      service.watchdog !== undefined,
      "without a sign of life from it systemd would kill it again and again",
    ],
    ["idleExit", service.idleExit !== undefined, "nobody would count its connections"],
    ["workers", service.workers !== 0, "nobody would start them"],
  ] as const;
  return asked
    .filter(([, isAsked]) => isAsked)
    .map(([key, , why]) => ({
      code: "needs-runtime",
      what: hasRuntime(service, importsRuntime)
        ? `"${key}" needs a socket: ${why}`
        : `"${key}" needs a program that imports rouse: ${why}`,
      where: { key },
      mend: hasRuntime(service, importsRuntime)
        ? `leave "${key}" out, or give the service a socket`
        : `call activate() in it, or set "adopt" on a socket, or leave "${key}" out`,
    }));
}

// --- internal ---

function hasRuntime({ sockets }: Service, importsRuntime: boolean): boolean {
  return importsRuntime || sockets.some(({ adopt }) => adopt !== undefined);
}
