import { formatAddress } from "../activation/address.ts";
import type { Built, BuiltSocket } from "../activation/built.ts";
import type { Service, ServiceSocket } from "../service.ts";

/** What the runtime in a program knows of the service, because it was written into it. */
export interface Baked {
  readonly built: Built;
  /** For esbuild: every constant that src/activation/built.ts declares. */
  readonly define: Readonly<Record<string, string>>;
}

export function bake(service: Service): Baked {
  const built = builtFacts(service);
  const isPerConnection = service.sockets.some(({ accept }) => accept !== undefined);
  return {
    built,
    define: {
      ROUSE_BUILT: JSON.stringify(built),
      ROUSE_HAS_FFI: "true",
      ROUSE_ACCEPT: isPerConnection ? '"connection"' : "undefined",
    },
  };
}

// --- internal ---

function builtFacts({ name, stopTimeout, idleExit, workers, sockets }: Service): Built {
  return {
    name,
    stopTimeout: stopTimeout * 1000,
    ...(idleExit !== undefined && { idleExit: idleExit * 1000 }),
    ...(workers !== 0 && { workers }),
    sockets: Object.fromEntries(sockets.map((socket) => [socket.name, builtSocket(socket)])),
  };
}

function builtSocket({ backlog, adopt, optional }: ServiceSocket): BuiltSocket {
  return {
    ...(backlog !== undefined && { backlog }),
    ...(adopt !== undefined && { adopt: formatAddress(adopt) }),
    ...(optional && { optional }),
  };
}
