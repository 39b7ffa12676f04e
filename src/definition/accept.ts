import type { Problem } from "../problem.ts";
import type { Address, Service } from "../service.ts";
import type { Definition, SocketDefinition } from "./definition.ts";

/** What is wrong with one process per connection on a socket. */
export function acceptProblems(
  name: string,
  { accept, limits }: SocketDefinition,
  listen: readonly Address[],
): Problem[] {
  if (accept === undefined) {
    if (limits === undefined) return [];
    const what = '"limits" has no meaning for a socket whose connections share a process';
    return [problem(`sockets.${name}.limits`, what, 'leave it out, or set accept: "connection"')];
  }
  if (!listen.some(({ type }) => type === "udp")) return [];
  const what = `the socket "${name}" is for datagrams, and accept: "connection" for connections`;
  return [problem(`sockets.${name}.accept`, what, "leave it out: a process takes the datagrams as they come")];
}

/** What a service cannot have where each connection has a process. */
export function perConnectionProblems({ connection }: Definition, service: Service): Problem[] {
  const { sockets, workers, idleExit, start } = service;
  const accepting = sockets.filter(({ accept }) => accept !== undefined);
  if (accepting.length === 0) {
    if (connection === undefined) return [];
    const what = '"connection" has no meaning where no socket has a process for each connection';
    return [problem("connection", what, 'leave it out, or set accept: "connection" on a socket')];
  }
  const found: Problem[] = [];
  if (workers !== 0) {
    const what = `a worker is there for many connections, and "${accepting[0]!.name}" gives each a process of its own`;
    found.push(problem("workers", what, 'leave "workers" or accept: "connection" out'));
  }
  if (accepting.length < sockets.length) return found;
  if (idleExit !== undefined) {
    const what = '"idleExit" has no effect: each process ends with its connection';
    found.push(problem("idleExit", what, "leave it out"));
  }
  if (start === "boot") {
    const what = 'start: "boot" has nothing to start: each process is for a connection';
    found.push(problem("start", what, "leave it out; the sockets are there from the boot on"));
  }
  return found;
}

// --- internal ---

const problem = (key: string, what: string, mend: string): Problem => ({
  code: "invalid-definition",
  what,
  where: { key },
  mend,
});
