import type { Socket as DatagramSocket } from "node:dgram";
import { Server, Socket } from "node:net";
import { systemdManager } from "../../systemd/notify.ts";
import type { Activation, Peer } from "./activation.ts";
import { built } from "./built.ts";
import type { Chosen } from "./choose.ts";
import { ActivationError } from "./error.ts";
import { type Idle, leaveWhenIdle, readDuration } from "./idle-exit.ts";
import { socketsByName } from "./names.ts";
import { describe, type OwnedSocket, requireType } from "./passed-socket.ts";
import { createReadiness } from "./readiness.ts";
import { reloadOnHangup } from "./reload.ts";
import type { Served } from "./served.ts";
import { serveDatagrams } from "./served-datagrams.ts";
import { serve } from "./served-server.ts";
import { leave, stopOn } from "./stop.ts";
import { supervisor } from "./supervised.ts";
import { keepWatchdog } from "./watchdog.ts";

export interface ActivationFacts extends Chosen {
  /** The names of the fallback. */
  readonly asked: readonly string[];
  readonly idleExit: number | string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly signals: readonly NodeJS.Signals[];
}

export function createActivation({ source, sockets: all, asked, idleExit, env, signals }: ActivationFacts): Activation {
  const wantedIdle = idleExit ?? built?.idleExit;
  const idleAfter = wantedIdle === undefined ? undefined : readDuration(wantedIdle);
  // OpenFile=/run/systemd/notify:notify, which is no socket of the program's.
  const openFile = env.NOTIFY_SOCKET !== undefined && !asked.includes("notify") ? all.find(isNotify) : undefined;
  const sockets = openFile ? all.filter((socket) => socket !== openFile) : all;
  const names = socketsByName(source, sockets, asked);
  const chief = supervisor();
  const manager = chief?.manager ?? systemdManager(env, openFile?.fd);
  const readiness = createReadiness(source, sockets, manager);
  const reloader = reloadOnHangup(manager, () => readiness.said && !drained, env.NOTIFY_SOCKET !== undefined);
  const served = new Map<unknown, Served>();
  const fifos = new Set<Socket>();
  let abort: AbortController | undefined;
  let drained: Promise<void> | undefined;
  let connection: Socket | undefined;
  let idle: Idle | undefined;
  keepWatchdog(manager);

  const forgetSignals = stopOn(signals, async () => {
    // What the program may serve without us has as long; it ends the process earlier where nothing else is left.
    const grace = sockets.some((socket) => socket.lent) ? DEFAULT_DEADLINE : 0;
    await Promise.all([activation.drain(), new Promise((resolve) => setTimeout(resolve, grace).unref())]);
  });

  const traffic = {
    touch() {
      for (const life of lives) life.touch();
      if (isConnected && !isBusy() && !drained) leave();
    },
  };
  const life: Life = {
    touch: () => idle?.touch(),
    // A lent socket may be served without our seeing it.
    isBusy: () => isBusy() || sockets.some((socket) => socket.lent),
  };
  lives.add(life);
  /** One connection is all that this process is there for. */
  let isConnected = false;

  const activation: Activation = {
    source,
    // Made when first asked for: it would be the half of what activate costs.
    get signal() {
      abort ??= new AbortController();
      if (drained) abort.abort();
      return abort.signal;
    },

    get connection() {
      const socket = onlyConnection();
      if (!socket || (socket.state !== "free" && !connection)) return undefined;
      connection ??= new Socket({ fd: socket.fd! });
      socket.state = "listening";
      return connection;
    },

    get peer() {
      const socket = onlyConnection();
      return socket && peerOf(env, socket);
    },

    socket: (name) => names.needOne(name),
    sockets: (name) => (name === undefined ? sockets : names.find(name)),
    [Symbol.iterator]: () => sockets.values(),

    async listen(server, wanted) {
      // The end came while the program was starting: who comes now is the next process's.
      if (drained) return;
      if (typeof wanted === "string" && built?.sockets[wanted]?.optional && names.find(wanted).length === 0) return;
      const found = typeof wanted === "string" ? names.need(wanted) : [wanted as OwnedSocket];
      const isDatagram = isDatagramSocket(server);
      if (isDatagram && found.length > 1) names.needOne(wanted as string);
      for (const socket of found) requireType(socket, isDatagram ? "datagram" : "stream");
      requireFree(found);
      const one = served.get(server) ?? (isDatagram ? serveDatagrams(server, traffic) : serve(server, traffic));
      served.set(server, one);
      const mark = (state: OwnedSocket["state"]) => {
        for (const socket of found) socket.state = state;
      };
      // A failed listen closes a descriptor that was passed; an address of our own may be tried again.
      if (source !== "bind") mark("taken");
      isConnected ||= found[0] === onlyConnection();
      await one.listen(found);
      mark("listening");
      idle ??= startIdle();
      readiness.consider();
    },

    fifo(name) {
      const socket = names.needOne(name);
      requireType(socket as OwnedSocket, "fifo");
      requireFree([socket as OwnedSocket]);
      const stream = new Socket({ fd: socket.fd!, readable: true, writable: false });
      stream.prependListener("data", () => traffic.touch());
      fifos.add(stream);
      (socket as OwnedSocket).state = "listening";
      idle ??= startIdle();
      readiness.consider();
      return stream;
    },

    async ready(status) {
      readiness.say(status);
    },

    status: (text) => manager.tell(`STATUS=${text}`),
    extendTimeout: (milliseconds) => manager.tell(`EXTEND_TIMEOUT_USEC=${Math.round(milliseconds * 1000)}`),
    onReload: (work) => reloader.add(work),

    async store(name, fd) {
      // sd_notify(3): printable ASCII without ":".
      if (!/^[ -9;-~]{1,255}$/.test(name))
        throw new TypeError(`a descriptor cannot be stored under the name "${name}"`);
      if (!manager.store(name, fd)) return false;
      await manager.barrier(BARRIER_TIMEOUT);
      return true;
    },
    unstore: (name) => manager.unstore(name),
    barrier: () => manager.barrier(BARRIER_TIMEOUT),

    drain({ deadline = DEFAULT_DEADLINE } = {}) {
      // A step later, so that what hears the abort may itself call drain.
      drained ??= Promise.resolve().then(async () => {
        manager.tell("STOPPING=1");
        readiness.end();
        idle?.stop();
        abort?.abort();
        await Promise.all([
          ...[...served.values()].map((one) => one.drain(deadline)),
          ...[...fifos].map((fifo) => endFifo(fifo, deadline)),
          connection && endOf(connection, deadline),
        ]);
        lives.delete(life);
        forgetSignals();
        reloader.forget();
      });
      return drained;
    },

    [Symbol.asyncDispose]: () => activation.drain(),
  };
  return activation;

  /** Of a process per connection. Beside sockets that listen it is one of the store or of OpenFile=, which is none of that. */
  function onlyConnection(): OwnedSocket | undefined {
    if (sockets.some(({ role }) => role === "listener")) return undefined;
    return sockets.find(({ role, type }) => role === "connection" && type === "stream");
  }

  function isBusy(): boolean {
    return [...served.values()].some((one) => one.isBusy());
  }

  /** Never where leaving would close the port, nor where the program may be serving what we do not see. */
  function startIdle(): Idle | undefined {
    if (idleAfter === undefined || source === "bind" || isConnected) return undefined;
    const least = source === "launchd" ? 10_000 : 1_000;
    const isAnyBusy = () => [...lives].some((one) => one.isBusy());
    const time = Math.max(least, idleAfter);
    // A worker goes on: its supervisor leaves when all of them are idle.
    if (chief) return chief.watchIdle(time, isAnyBusy);
    return leaveWhenIdle(time, isAnyBusy, () => {
      for (const one of served.values()) one.stopAccepting();
      leave();
    });
  }
}

// --- internal ---

interface Life {
  touch(): void;
  isBusy(): boolean;
}

/** Of every activation of this process, which can only leave as a whole. */
const lives = new Set<Life>();

/** Milliseconds. Below the time after which the manager kills (TimeoutStopSec= is 20 s unless the definition says another). */
const DEFAULT_DEADLINE = (built?.stopTimeout ?? 20_000) * 0.75;

/** Milliseconds. */
const BARRIER_TIMEOUT = 5_000;

/**
 * Not by instanceof for dgram.Socket: to load node:dgram for every server would cost.
 * @throws {ActivationError} bad-option for what is neither
 */
function isDatagramSocket(server: Server | DatagramSocket): server is DatagramSocket {
  if (server instanceof Server) return false;
  if (typeof (server as DatagramSocket | null)?.addMembership === "function") return true;
  throw new ActivationError(
    "bad-option",
    "listen takes a net, http, https or http2 server, or a dgram socket",
    "Give createServer(app) for an Express or Koa app, app.server after ready() for Fastify, createAdaptorServer(app) for Hono",
  );
}

const isNotify = ({ name }: OwnedSocket): boolean => name === "notify";

function requireFree(sockets: readonly OwnedSocket[]): void {
  if (sockets.every(({ state }) => state === "free")) return;
  throw new ActivationError(
    "socket-taken",
    `${describe(...sockets)} has or had a server`,
    "Call listen once for each name",
  );
}

function peerOf({ REMOTE_ADDR, REMOTE_PORT }: NodeJS.ProcessEnv, { peer }: OwnedSocket): Peer {
  if (REMOTE_ADDR !== undefined) return { address: REMOTE_ADDR, port: REMOTE_PORT ? Number(REMOTE_PORT) : undefined };
  return peer?.type === "unix" ? { address: peer.path, port: undefined } : { address: peer?.host, port: peer?.port };
}

/** Waits for it; after `deadline` milliseconds it is destroyed. */
async function endOf(stream: Socket, deadline: number): Promise<void> {
  if (stream.destroyed) return;
  const timer = setTimeout(() => stream.destroy(), deadline);
  await new Promise((resolve) => stream.once("close", resolve));
  clearTimeout(timer);
}

/** The manager keeps the FIFO: what is not read yet is the next process's. What Node has read already is for the program. */
async function endFifo(
  stream: Socket & { readonly _handle?: { readStop(): void } | null },
  deadline: number,
): Promise<void> {
  // Its own pause leaves the reading from the descriptor as it is.
  stream._handle?.readStop();
  stream.push(null);
  if (stream.readableFlowing === null) stream.destroy();
  await endOf(stream, deadline);
}
