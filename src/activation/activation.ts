import type { Server } from "node:net";
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { notify } from "../../systemd/notify.ts";
import { built } from "./built.ts";
import { ActivationError } from "./error.ts";
import { describe, type OwnedSocket, type PassedSocket } from "./passed-socket.ts";
import { print } from "./report.ts";
import { type ServedServer, serve } from "./served-server.ts";
import { stopOn } from "./stop-signals.ts";

/** Where the sockets come from: handed over by systemd's protocol, or bound by the program itself. */
export type Source = "systemd" | "bind";

/** The sockets of this process by name, and its life from ready to drained. */
export interface Activation<N extends string = string> extends AsyncDisposable {
  readonly source: Source;
  /** Aborts when draining starts: the moment to end what does not end by itself, such as WebSockets and event streams. */
  readonly signal: AbortSignal;
  /**
   * The one socket of that name.
   * @throws {ActivationError} missing-socket, several-sockets
   */
  socket(name: N): PassedSocket;
  /** The sockets of that name, or all; an empty list where there is none. */
  sockets(name?: N): readonly PassedSocket[];
  /**
   * Serves every socket of that name with one net, http, https or http2 server. Resolves when all of them listen;
   * when that was the last socket, READY=1 follows by itself, and where others are left, three seconds later with a warning.
   * @throws {ActivationError} missing-socket, socket-taken, address-in-use, permission-denied, listen-failed
   */
  listen(server: Server, name: N): Promise<void>;
  /** Tells the service manager that the start is complete (READY=1 of sd_notify(3)), once. Without a manager it does nothing. */
  ready(status?: string): Promise<void>;
  /** One line for `systemctl status` (STATUS= of sd_notify(3)). */
  status(text: string): void;
  /**
   * Ends serving without losing a request: stops accepting, answers all that was received, tells clients to go elsewhere
   * (`Connection: close`, GOAWAY) and resolves when the last connection has ended. After `deadline` milliseconds (three quarters of the definition's stopTimeout, 15 000 unless it says another)
   * it destroys what is left. Further calls wait for the first.
   */
  drain(options?: { readonly deadline?: number }): Promise<void>;
}

export interface ActivationFacts {
  readonly source: Source;
  readonly sockets: readonly OwnedSocket[];
  /** The names of the fallback. */
  readonly asked: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly signals: readonly NodeJS.Signals[];
}

export function createActivation({ source, sockets, asked, env, signals }: ActivationFacts): Activation {
  let abort: AbortController | undefined;
  const servers = new Map<Server, ServedServer>();
  let saidReady = false;
  let patience: NodeJS.Timeout | undefined;
  let drained: Promise<void> | undefined;

  const forgetSignals = stopOn(signals, async () => {
    // What the program may serve without us has as long; it ends the process earlier where nothing else is left.
    const grace = sockets.some((socket) => socket.lent) ? DEFAULT_DEADLINE : 0;
    await Promise.all([activation.drain(), new Promise((resolve) => setTimeout(resolve, grace).unref())]);
  });

  const activation: Activation = {
    source,
    // Made when first asked for: it would be the half of what activate costs.
    get signal() {
      abort ??= new AbortController();
      if (drained) abort.abort();
      return abort.signal;
    },

    socket(name) {
      const found = need(name);
      if (found.length === 1) return found[0]!;
      const what = `several sockets have that name: ${describe(...found)}`;
      throw new ActivationError("several-sockets", what, `Use sockets("${name}")`);
    },

    sockets: (name) => (name === undefined ? sockets : find(name)),

    async listen(server, name) {
      const found = need(name);
      if (found.some((socket) => socket.state !== "free")) {
        const what = `${describe(...found)} has or had a server`;
        throw new ActivationError("socket-taken", what, "Call listen once for each name");
      }
      const served = servers.get(server) ?? serve(server);
      servers.set(server, served);
      const mark = (state: OwnedSocket["state"]) => {
        for (const socket of found) socket.state = state;
      };
      // A failed listen closes a descriptor that was passed; an address of our own may be tried again.
      if (source !== "bind") mark("taken");
      await served.listen(found);
      mark("listening");
      clearTimeout(patience);
      // Not before the program's next step, which may be a ready() with a status.
      if (sockets.every((socket) => socket.state === "listening")) setImmediate(activation.ready);
      else if (source !== "bind") patience = setTimeout(readyWithout, PATIENCE).unref();
    },

    async ready(status) {
      notify(env, !saidReady && !drained && "READY=1", status !== undefined && `STATUS=${status}`);
      saidReady = true;
    },

    status: (text) => notify(env, `STATUS=${text}`),

    drain({ deadline = DEFAULT_DEADLINE } = {}) {
      // A step later, so that what hears the abort may itself call drain.
      drained ??= Promise.resolve().then(async () => {
        notify(env, "STOPPING=1");
        abort?.abort();
        await Promise.all([...servers.values()].map((served) => served.drain(deadline)));
        forgetSignals();
      });
      return drained;
    },

    [Symbol.asyncDispose]: () => activation.drain(),
  };
  return activation;

  /** A program that leaves a socket alone would never be ready, and systemd would end it after TimeoutStartSec=, again and again. */
  function readyWithout(): void {
    const left = sockets.filter((socket) => socket.state === "free" && !socket.lent);
    if (left.length > 0) print(`warning: nothing listens on ${describe(...left)}`);
    activation.ready();
  }

  /**
   * By name, never by position. Where nobody gave names (systemfd, systemd-socket-activate without --fdname) and the program
   * knows at most one, all sockets are what it asks for.
   */
  function find(name: string): readonly OwnedSocket[] {
    const unnamed = asked.length < 2 && sockets.every((socket) => socket.name === UNNAMED);
    return unnamed ? sockets : sockets.filter((socket) => socket.name === name);
  }

  function need(name: string): readonly OwnedSocket[] {
    const found = find(name);
    if (found.length > 0) return found;
    const bound = source === "bind";
    const there = `${bound ? "to bind" : "passed"}: ${describe(...sockets)}; asked for: ${asked.join(", ") || name}`;
    const inUnit = built
      ? `Add it to "sockets" in the definition and build again`
      : `Set FileDescriptorName=${name} in its .socket unit`;
    throw new ActivationError(
      "missing-socket",
      `no socket is named "${name}"; ${there}`,
      bound ? "Add it to the fallback" : inUnit,
    );
  }
}

// --- internal ---

/** Milliseconds. Below the time after which the manager kills (TimeoutStopSec= is 20 s unless the definition says another). */
const DEFAULT_DEADLINE = (built?.stopTimeout ?? 20_000) * 0.75;

/** Milliseconds from one listen to the next, after which the program is taken to be ready without the sockets that are left. */
const PATIENCE = 3_000;
