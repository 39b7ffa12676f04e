/**
 * The source "inetd": the socket on descriptor 0, from inetd and xinetd (wait and nowait), from systemd's
 * StandardInput=socket, and from launchd's inetdCompatibility. None leaves a mark in the environment.
 */
import { descriptorKind, readSocket } from "./descriptor.ts";
import { type OwnedSocket, passedSocket } from "./passed-socket.ts";
import { debug } from "./report.ts";

/**
 * Gives the socket on descriptor 0 if it is one that a server is meant to have: a listening one, or an unconnected datagram
 * socket (wait). A connected one (nowait) counts only where the program says that it serves one connection per process:
 * sshd and others give every program a socket as its standard input.
 * @param name what to call it
 */
export function socketFromInetd(name: string, perConnection: boolean): OwnedSocket | undefined {
  if (known) return known;
  if (descriptorKind(0) !== "socket") {
    debug(() => "inetd: descriptor 0 is no socket");
    return undefined;
  }
  const facts = readSocket(0);
  const ours = isForServer(facts) || (perConnection && facts?.role !== "listener");
  debug(() => `inetd: descriptor 0 is ${describeFacts(facts)}: ${ours ? "ours" : "not ours"}`);
  if (ours) known = passedSocket(name, 0, "socket", perConnection);
  return known;
}

// --- internal ---

let known: OwnedSocket | undefined;

function isForServer(facts: ReturnType<typeof readSocket>): boolean {
  return facts?.role === "listener" && (facts.type === "stream" || facts.type === "datagram");
}

function describeFacts(facts: ReturnType<typeof readSocket>): string {
  if (typeof ROUSE_HAS_FFI === "undefined" && !facts) {
    return "a socket that cannot be looked at without node:ffi; --fd 0 says that it is for this program";
  }
  return `${facts?.kind}, ${facts?.role ?? "neither listening nor connected"}`;
}
