import type { Service, ServiceSocket } from "../src/service.ts";

export function serviceUnitName(service: Service): string {
  return `${service.name}.service`;
}

/**
 * The unit's name depends on the socket's key alone, never on how many sockets there are: a renamed .socket unit cannot
 * take over its port in an upgrade ("already active, refusing").
 */
export function socketUnitName(service: Service, socket: ServiceSocket): string {
  return socket.name === service.name ? `${service.name}.socket` : `${service.name}-${socket.name}.socket`;
}

/** Where the administrator sets environment variables, as on Debian. */
export function environmentFilePath(service: Service): string {
  return `/etc/default/${service.name}`;
}
