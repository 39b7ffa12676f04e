/** Sockets by name, never by position. */
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { built } from "./built.ts";
import type { Source } from "./choose.ts";
import { ActivationError } from "./error.ts";
import { CONNECTION, describe, type OwnedSocket } from "./passed-socket.ts";

export interface Names {
  /** Those of that name; none is an empty list. */
  find(name: string): readonly OwnedSocket[];
  /** @throws {ActivationError} missing-socket */
  need(name: string): readonly OwnedSocket[];
  /** @throws {ActivationError} missing-socket, several-sockets */
  needOne(name: string): OwnedSocket;
}

/** @param asked the names that the program knows: those of its fallback */
export function socketsByName(source: Source, sockets: readonly OwnedSocket[], asked: readonly string[]): Names {
  /** Where nobody gave names and the program knows at most one, all sockets are what it asks for; but not what it has stored. */
  const isForAll = (name: string): boolean =>
    asked.length < 2 &&
    (asked[0] ?? name) === name &&
    sockets.every((socket) => isUnnamed(socket) || socket.role !== "listener");

  const names: Names = {
    find(name) {
      const named = sockets.filter((socket) => socket.name === name);
      return named.length === 0 && isForAll(name) ? sockets.filter(isUnnamed) : named;
    },

    need(name) {
      const found = names.find(name);
      if (found.length > 0) return found;
      const bound = source === "bind";
      const known = built ? Object.keys(built.sockets) : asked;
      const there = `${bound ? "to bind" : "passed"}: ${describe(...sockets)}; asked for: ${known.join(", ") || name}`;
      throw new ActivationError("missing-socket", `no socket is named "${name}"; ${there}`, mend(source, name));
    },

    needOne(name) {
      const found = names.need(name);
      if (found.length === 1) return found[0]!;
      const what = `several sockets have that name: ${describe(...found)}`;
      throw new ActivationError("several-sockets", what, `Use sockets("${name}")`);
    },
  };
  return names;
}

// --- internal ---

/**
 * What those give who give no names: systemfd, systemd-socket-activate without --fdname, Accept=yes, and a .socket unit
 * without FileDescriptorName=, after which systemd names it (systemd.socket(5)).
 */
function isUnnamed({ name }: OwnedSocket): boolean {
  return name === UNNAMED || name === CONNECTION || name.endsWith(".socket");
}

function mend(source: Source, name: string): string {
  if (source === "bind") return "Add it to the fallback";
  if (built && !(name in built.sockets)) return `Add it to "sockets" in the definition and build again`;
  if (source === "launchd") return `Add "${name}" to Sockets in the job's plist, and load it again`;
  if (source === "systemd") {
    return `Set FileDescriptorName=${name} in its .socket unit, and see that this unit is started (systemctl list-sockets)`;
  }
  return "This source passes one socket only";
}
