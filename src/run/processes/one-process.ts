/** A group whose sockets one process serves: systemd's Accept=no, a launchd job, inetd's wait. */
import { RouseError } from "../../problem.ts";
import type { StartCause } from "../events.ts";
import { createServiceState } from "../manager/service-state.ts";
import { pollReadable, setNonBlocking } from "../polling/system-calls.ts";
import { readFirstByte } from "../program/first-answer.ts";
import type { OpenSocket } from "../sockets.ts";
import { watchAcceptance } from "./acceptance.ts";
import { type Child, type Exit, endsWithin, ignoresSignal, passOn, startChild } from "./child.ts";
import type { Group, RunContext } from "./group.ts";
import { handOver, type Passed } from "./hand-over.ts";
import { endLeftovers } from "./leftovers.ts";
import { createSuccessor } from "./successor.ts";

/** @param onDemand the first connection starts it, and after its end the next one does */
export function serveByOneProcess(context: RunContext, sockets: readonly OpenSocket[], onDemand: boolean): Group {
  const { emit, poller } = context;
  const ended = Promise.withResolvers<Exit>();
  const state = createServiceState(context.watchdog, emit);
  const fds = sockets.map(({ fd }) => fd);
  const draining = new Set<Child>();
  let child: Child | undefined;
  let isStopping = false;
  let lastExit: Exit = { code: 0, signal: null };
  /** Ends whatever is waited for: a connection, a retry. */
  let cancelWait = () => {};
  /** Ends in a row without having taken what it was started for. */
  let failures = 0;

  const successor = createSuccessor<Passed>(async () => await launch(true));

  async function launch(isGated: boolean): Promise<Child> {
    const { command, reports } = context.program();
    const passed = [...sockets, ...state.stored];
    const notify = notifyVariables(context);
    return await startChild(handOver({ ...context, command, passed, notify, reports, isGated }), context.guardian);
  }

  async function start(cause: StartCause, socket?: OpenSocket): Promise<void> {
    const waitingSince = cause === "connection" ? performance.now() : undefined;
    // One that still answers its last requests may be using it.
    if (draining.size === 0) for (const fd of fds) setNonBlocking(fd, false);
    const next = successor.take(state.stored) ?? (await launch(false));
    next.openGate();
    child = next;
    state.begin(next);
    context.notify?.attach(next, state);
    emit({ event: "started", pid: next.pid, cause, ...(socket && { socket: socket.name }) });
    const stopLooking = watchAcceptance(next.pid, sockets, context.as, (problem) =>
      emit({ event: "warning", problem }),
    );
    readFirstByte(next.report, (at, acceptedAt) => {
      emit({ event: "first-byte", pid: next.pid, ms: Math.max(0, at - (waitingSince ?? acceptedAt)) });
    });
    void next.exited.then(async (exit) => {
      stopLooking();
      const left = endLeftovers(next, fds, (problem) => emit({ event: "warning", problem }));
      if (left) await left;
      const wasAsked = isStopping || draining.has(next);
      emit({ event: "exited", pid: next.pid, ...exit, ms: performance.now() - next.since, wasAsked });
      afterExit(next, exit);
    });
  }

  function afterExit(which: Child, exit: Exit): void {
    if (draining.delete(which)) {
      finishIfOver();
      return;
    }
    child = undefined;
    lastExit = exit;
    const failed = exit.code !== 0;
    if (isStopping) {
      finishIfOver();
      return;
    }
    state.end(onDemand && !failed);
    if (context.isWatching && (failed || !onDemand)) emit({ event: "waiting", for: "change" });
    else if (onDemand) retry(which);
    else {
      isStopping = true;
      finishIfOver();
    }
  }

  function finishIfOver(): void {
    if (!isStopping || child || draining.size > 0) return;
    state.end(true);
    ended.resolve(lastExit);
  }

  /** Waits for the next connection: for a while longer each time, where the last one is still there. */
  function retry(last: Child): void {
    // One that was idle may end just when somebody comes; it has lived for a while, and well.
    const isSuspect = lastExit.code !== 0 || performance.now() - last.since < QUICK;
    failures = isSuspect && pollReadable(fds, 0).size > 0 ? failures + 1 : 0;
    if (failures === 0) {
      waitForConnection();
      return;
    }
    if (failures === TELL_AFTER) emit({ event: "warning", problem: loops(failures, lastExit) });
    const ms = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1));
    emit({ event: "waiting", for: "retry", ms });
    const timer = setTimeout(waitForConnection, ms);
    cancelWait = () => clearTimeout(timer);
  }

  function waitForConnection(): void {
    if (failures === 0) emit({ event: "waiting", for: "connection" });
    const cancels = sockets.map((socket) =>
      poller.once(socket.fd, () => {
        cancelWait();
        start("connection", socket).catch(startFailed).catch(ended.reject);
      }),
    );
    cancelWait = () => {
      for (const cancel of cancels) cancel();
      cancelWait = () => {};
    };
  }

  async function endOld(old: Child): Promise<void> {
    draining.add(old);
    old.signal("SIGTERM");
    // What answers its last requests may do so beside the new one; what does not know how would take half of the new connections.
    const patience = context.program().drains ? BESIDE : UNASKED;
    if (await endsWithin(old, Math.min(patience, context.stopTimeout))) return;
    if (context.program().drains) void killUnlessEnded(old, context.stopTimeout);
    else killLate(old, patience);
  }

  async function killUnlessEnded(late: Child, time: number): Promise<void> {
    const since = performance.now();
    for (let left = time; left > 0; left = state.extension(late.pid, since)) {
      if (await endsWithin(late, left)) return;
    }
    killLate(late, performance.now() - since);
  }

  function killLate(late: Child, after: number): void {
    emit({ event: "warning", problem: ignoresSignal(late.pid, after) });
    late.signalGroup("SIGKILL");
  }

  const group: Group = {
    sockets,
    get pids() {
      return [...draining, ...(child ? [child] : [])].map(({ pid }) => pid);
    },
    ended: ended.promise,
    async begin() {
      if (onDemand) waitForConnection();
      else await start("start").catch(startFailed);
    },
    async restart() {
      if (isStopping) return;
      const old = child;
      child = undefined;
      cancelWait();
      failures = 0;
      if (old) {
        const hasEnded = endOld(old);
        if (!onDemand && context.program().waits) await successor.prepare(state.stored);
        await hasEnded;
      }
      if (isStopping) {
        successor.discard();
        finishIfOver();
        return;
      }
      if (onDemand) waitForConnection();
      else await start("change").catch(startFailed);
    },
    signal(signal) {
      if (child) passOn(child, signal);
    },
    stop(signal) {
      isStopping = true;
      cancelWait();
      successor.discard();
      for (const one of [child, ...draining]) {
        if (!one) continue;
        if (signal === "SIGINT") one.signalGroup(signal);
        else one.signal(signal);
        void killUnlessEnded(one, context.stopTimeout);
      }
      finishIfOver();
    },
    kill() {
      isStopping = true;
      successor.discard();
      for (const one of [child, ...draining]) one?.signalGroup("SIGKILL");
      finishIfOver();
    },
  };

  /** In a watched run a later change may mend it. */
  function startFailed(error: unknown): void {
    if (!(error instanceof RouseError) || !context.isWatching) throw error;
    for (const problem of error.problems) emit({ event: "warning", problem });
    emit({ event: "waiting", for: "change" });
  }

  return group;
}

// --- internal ---

/** Milliseconds. */
const QUICK = 1000;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 5000;
/** How long the next process waits for the end of one that is answering its last requests, and of one that may be doing anything. */
const BESIDE = 1000;
const UNASKED = 3000;
const TELL_AFTER = 3;

/** What a service of Type=notify finds; that a program does not use it is no fault. */
function notifyVariables({ notify, watchdog }: RunContext): Record<string, string> {
  if (!notify) return {};
  return {
    NOTIFY_SOCKET: notify.socket.path,
    ...(watchdog !== undefined && { WATCHDOG_USEC: String(watchdog * 1000) }),
  };
}

function loops(times: number, { code, signal }: Exit) {
  const how = signal ? `by ${signal}` : `with exit code ${code}`;
  return {
    code: "exits-in-a-loop",
    what: `the program has ended ${times} times in a row, the last time ${how}, and a connection that it has not accepted still waits`,
    mend: "see what it prints; until it accepts, it is started again after longer and longer pauses",
  };
}
