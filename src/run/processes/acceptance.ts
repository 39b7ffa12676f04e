import { fstatSync } from "node:fs";
import type { Problem } from "../../problem.ts";
import { pollReadable } from "../polling/system-calls.ts";
import type { HandOver, OpenSocket } from "../sockets.ts";
import { allProcesses, sessionOf, socketsOf } from "./processes.ts";

/**
 * Looks every second whether what comes to the sockets is taken, and tells once, after five seconds, where it is not: the
 * client waits, and nothing else would say why.
 * @param pid the process that should take it, which leads a session
 * @returns ends the looking
 */
export function watchAcceptance(
  pid: number,
  sockets: readonly OpenSocket[],
  as: HandOver,
  tell: (problem: Problem) => void,
): () => void {
  const seconds = new Map<OpenSocket, number>();
  const timer = setInterval(() => {
    const readable = pollReadable(
      sockets.map(({ fd }) => fd),
      0,
    );
    for (const socket of sockets) {
      const waited = readable.has(socket.fd) ? (seconds.get(socket) ?? 0) + 1 : 0;
      seconds.set(socket, waited);
      if (waited === PATIENCE) tell(describe(pid, socket, as));
    }
  }, 1000);
  timer.unref();
  return () => clearInterval(timer);
}

// --- internal ---

const PATIENCE = 5;

function describe(pid: number, { name, fd, type, url }: OpenSocket, as: HandOver): Problem {
  const what = type === "stream" ? "a connection has waited" : "datagrams have waited";
  const begin = `${what} on "${name}" (${url}) for ${PATIENCE} s, and process ${pid}`;
  if (isHeld(pid, fd) === false) {
    return {
      code: "socket-closed",
      what: `${begin} has closed the socket`,
      mend: "a server that is closed gives its socket away for good: keep it open until the process ends",
    };
  }
  return {
    code: "not-accepted",
    what: `${begin} does not take it`,
    mend: `see that the program listens on the passed socket, ${howTo(as, name)}, and that its event loop is not blocked`,
  };
}

function howTo(as: HandOver, name: string): string {
  if (as === "fd") return "whose descriptor SERVER_LISTEN_FD and --fd name (activate({ fdFlag: true }) reads them)";
  return `activate().listen(server, "${name}") or what its language has for that`;
}

/** Whether a process of that session has the socket of this descriptor; undefined where it cannot be known. */
function isHeld(session: number, fd: number): boolean | undefined {
  const all = allProcesses();
  const { ino } = fstatSync(fd);
  return all.length === 0 ? undefined : all.some((pid) => sessionOf(pid) === session && socketsOf(pid).includes(ino));
}
