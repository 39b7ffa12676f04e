/** A group with a process for each connection: systemd's Accept=yes, inetd's nowait. The launcher accepts. */
import { closeSync } from "node:fs";
import { type Problem, RouseError } from "../../problem.ts";
import { createServiceState } from "../manager/service-state.ts";
import { acceptConnection, pollReadable, setNonBlocking } from "../polling/system-calls.ts";
import { readFirstByte } from "../program/first-answer.ts";
import type { OpenSocket } from "../sockets.ts";
import { type Child, endsWithin, ignoresSignal, passOn, startChild } from "./child.ts";
import type { Group, RunContext } from "./group.ts";
import { handOver } from "./hand-over.ts";
import { endLeftovers } from "./leftovers.ts";
import { type Peer, peerOf } from "./peer.ts";

export function serveByProcessPerConnection(context: RunContext, socket: OpenSocket): Group {
  const { emit, poller, guardian } = context;
  const ended = Promise.withResolvers<{ code: number; signal: null }>();
  const children = new Set<Child>();
  /** Of the connections that are being served, also while their processes are being started. */
  const sources: string[] = [];
  let isStopping = false;
  let cancelWait = () => {};
  /** In a row, of the system to give a connection that waits. */
  let refusals = 0;

  function waitForConnection(): void {
    cancelWait = poller.once(socket.fd, () => {
      if (takeWaiting()) {
        refusals = 0;
        waitForConnection();
        return;
      }
      refusals += 1;
      if (refusals === TELL_AFTER) emit({ event: "warning", problem: cannotAccept(socket.name) });
      const timer = setTimeout(waitForConnection, PAUSE);
      cancelWait = () => clearTimeout(timer);
    });
  }

  /** Not endlessly, though more come all the while. @returns false where one waits and cannot be had */
  function takeWaiting(): boolean {
    for (let count = 0; count < AT_ONCE; count++) {
      const fd = acceptConnection(socket.fd);
      if (fd === undefined) return pollReadable([socket.fd], 0).size === 0;
      accepted(fd);
    }
    return true;
  }

  function accepted(fd: number): void {
    const peer = peerOf(fd);
    if (!peer) {
      closeSync(fd);
      return;
    }
    const limit = reachedLimit(peer.source);
    if (limit) {
      closeSync(fd);
      emit({ event: "refused", socket: socket.name, peer: peer.shown, limit });
      return;
    }
    sources.push(peer.source);
    void serve(fd, peer)
      .catch((error) => {
        if (!(error instanceof RouseError)) ended.reject(error);
        else for (const problem of error.problems) emit({ event: "warning", problem });
      })
      .finally(() => {
        sources.splice(sources.indexOf(peer.source), 1);
        finishIfOver();
      });
  }

  /** MaxConnections= and MaxConnectionsPerSource= of systemd.socket(5): what is too much is closed at once. */
  function reachedLimit(source: string): string | undefined {
    const { connections, perSource = Number.POSITIVE_INFINITY } = socket.limits;
    if (sources.length >= connections) return `${connections} connections`;
    const same = sources.filter((one) => one === source).length;
    return same >= perSource ? `${perSource} connections from one source` : undefined;
  }

  async function serve(fd: number, peer: Peer): Promise<void> {
    const since = performance.now();
    const program = context.program();
    const state = createServiceState(undefined, emit);
    const request = handOver({
      ...context,
      command: program.command,
      // sd_listen_fds_with_names(3): whatever the socket is called.
      passed: [{ name: "connection", fd }],
      connection: { ...context.perConnection, peer: peer.remote },
      notify: context.notify ? { NOTIFY_SOCKET: context.notify.socket.path } : {},
      reports: program.reports,
      streams: ["ignore", context.streams[1], context.streams[2]],
    });
    const child = await startChild(request, guardian).finally(() => closeSync(fd));
    children.add(child);
    context.notify?.attach(child, state);
    emit({ event: "accepted", pid: child.pid, socket: socket.name, peer: peer.shown });
    readFirstByte(child.report, (at) => {
      emit({ event: "first-byte", pid: child.pid, ms: Math.max(0, at - since) });
    });
    const exit = await child.exited;
    await endLeftovers(child, [socket.fd], (problem) => emit({ event: "warning", problem }));
    state.end(true);
    children.delete(child);
    emit({
      event: "exited",
      pid: child.pid,
      ...exit,
      ms: performance.now() - child.since,
      socket: socket.name,
      wasAsked: isStopping,
      ...(context.perConnection.ignoreExit && { isIgnored: true }),
    });
  }

  async function killUnlessEnded(child: Child): Promise<void> {
    if (await endsWithin(child, context.stopTimeout)) return;
    emit({ event: "warning", problem: ignoresSignal(child.pid, context.stopTimeout) });
    child.signalGroup("SIGKILL");
  }

  function finishIfOver(): void {
    if (isStopping && sources.length === 0) ended.resolve({ code: 0, signal: null });
  }

  return {
    sockets: [socket],
    ended: ended.promise,
    get pids() {
      return [...children].map(({ pid }) => pid);
    },
    async begin() {
      setNonBlocking(socket.fd, true);
      waitForConnection();
    },
    async restart() {
      // Each connection has a process of its own; the next one gets the new program.
    },
    signal(signal) {
      for (const child of children) passOn(child, signal);
    },
    stop(signal) {
      isStopping = true;
      cancelWait();
      for (const child of children) {
        if (signal === "SIGINT") child.signalGroup(signal);
        else child.signal(signal);
        void killUnlessEnded(child);
      }
      finishIfOver();
    },
    kill() {
      isStopping = true;
      cancelWait();
      for (const child of children) child.signalGroup("SIGKILL");
      finishIfOver();
    },
  };
}

// --- internal ---

const AT_ONCE = 64;
/** Milliseconds. */
const PAUSE = 100;
const TELL_AFTER = 10;

function cannotAccept(name: string): Problem {
  return {
    code: "not-accepted",
    what: `connections wait on "${name}", and the system gives none of them to the launcher`,
    mend: "allow more open files: ulimit -n",
  };
}
