/** Adoption: a program that has never heard of us calls listen(3000), and receives the socket that was passed for it. */
import type { Socket as DatagramSocket } from "node:dgram";
import { errorMonitor } from "node:events";
import { Server } from "node:net";
import { activate } from "./activate.ts";
import type { Activation } from "./activation.ts";
import { type Address, formatAddress } from "./address.ts";
import { type Adoption, type AdoptionRules, describeRules, makeRules, readAdoptions } from "./adoption-rules.ts";
import { built } from "./built.ts";
import { chooseSockets } from "./choose.ts";
import { ActivationError } from "./error.ts";
import { duplicate } from "./ffi.ts";
import { describe, type OwnedSocket, type PassedSocket } from "./passed-socket.ts";
import { type ProgramCall, readBind, readListen } from "./program-call.ts";
import { asNodesOwn, isOver, type Listener, stateOf, tellLater } from "./program-listener.ts";
import { debug, print } from "./report.ts";
import { supervisor } from "./supervised.ts";
import { listedUnixPath } from "./unix-path.ts";

/**
 * From here on the program's own listen and bind calls receive the sockets that were passed to this process: those that the
 * definition maps to them (`adopt`), else ROUSE_ADOPT="NAME=PORT ...", else a socket whose name is the port or the path,
 * else the only one that there is. Where none was passed, and in worker threads and cluster workers, nothing changes.
 * @throws {ActivationError} bad-variable; what activate throws where sockets were passed, but not as the protocol says
 */
export function adopt(env: NodeJS.ProcessEnv = process.env): void {
  const adoptions = readAdoptions(env);
  const activation = activateFor(adoptions, env);
  if (!activation) return;
  const adoption = createAdoption(activation, makeRules(adoptions), env);
  const { listen, address } = Server.prototype;
  Object.assign(Server.prototype, {
    listen(this: Server, ...args: unknown[]) {
      // To one that listens already, Node says so.
      return !this.listening && adoption.take(this, readListen(args)) ? this : Reflect.apply(listen, this, args);
    },
    address(this: Server) {
      return Reflect.apply(address, this, []) ?? adoption.path(this);
    },
  });
  // Not imported: no server is to wait for what it does not use.
  const datagrams = process.getBuiltinModule?.("node:dgram").Socket.prototype;
  if (!datagrams) return;
  const { bind } = datagrams;
  Object.assign(datagrams, {
    bind(this: DatagramSocket, ...args: unknown[]) {
      // As above; to one that is closed, too.
      return stateOf(this) === "unbound" && adoption.take(this, readBind(args))
        ? this
        : Reflect.apply(bind, this, args);
    },
  });
}

// --- internal ---

/** Looks first: an activation hears signals, and a program that was passed nothing is to keep them. */
function activateFor(adoptions: readonly Adoption[], env: NodeJS.ProcessEnv): Activation | undefined {
  const fallback = Object.fromEntries(adoptions.map(([name]) => [name, []]));
  try {
    const { source } = chooseSockets({ fallback, fd: undefined, fdFlag: false, perConnection: false, env });
    // What was passed to nobody the workers of a supervisor share all the same, or the second would find its port in use.
    const isOurs = source !== "bind" || supervisor() !== undefined;
    return isOurs && !isCopy() ? activate({ fallback, env }) : undefined;
  } catch (error) {
    if (!(error instanceof ActivationError) || error.code !== "other-process") throw error;
    print(`warning: ${error.message} The program binds its sockets itself.`);
    return undefined;
  }
}

/** A worker thread or a cluster worker: the first thread, or the primary, has the sockets. */
function isCopy(): boolean {
  const get = process.getBuiltinModule; // Node 20.16; before that, only a socket on descriptor 0 would be taken twice.
  return (process.send && get?.("node:cluster").isWorker) || get?.("node:worker_threads").isMainThread === false;
}

/** The primary of a cluster listens for its workers, which take no other port than the one that they asked for. */
function isForCluster(): boolean {
  return /node:internal\/cluster\//.test(new Error().stack ?? "");
}

const CLUSTER = 'node:cluster binds its ports itself. Set "workers" in the definition instead, or call supervise()';

function createAdoption(activation: Activation, rules: AdoptionRules, env: NodeJS.ProcessEnv) {
  const paths = new WeakMap<Listener, string>();
  const holders = new Map<PassedSocket, { readonly listener: Listener; readonly spare: number | undefined }>();
  let isWatched = false;
  let isAdopted = false;

  return {
    /** True where `listener` receives a passed socket: its events tell the rest, as they would have. */
    take(listener: Listener, call: ProgramCall | undefined): boolean {
      if (!call) return false;
      const name = rules.find(activation.sockets(), call.address);
      debug(
        () => `listen on ${formatAddress(call.address)}: ${name === undefined ? "left alone" : `adopts "${name}"`}`,
      );
      const isOurs = name !== undefined && !isForCluster();
      if (isOurs) give(listener, name, call);
      else leaveAlone(listener, call.address);
      if (name !== undefined && !isOurs) print(`warning: "${name}" is not adopted: ${CLUSTER}`);
      return isOurs;
    },

    /** The address of a unix socket that was passed: Node only knows those that it has bound. */
    path: (server: Server): string | null => (server.listening ? (paths.get(server) ?? null) : null),
  };

  function give(listener: Listener, name: string, { address, callback, backlog, signal }: ProgramCall): void {
    isAdopted = true;
    const from = activation.source === "bind" ? activate({ fallback: { [name]: textOf(address) }, env }) : activation;
    const sockets = from.sockets(name) as readonly OwnedSocket[];
    const [first] = sockets;
    for (const socket of sockets) hold(socket, listener);
    if (callback) listener.once("listening", callback);
    const close = () => listener.close();
    if (signal?.aborted) process.nextTick(close);
    else signal?.addEventListener("abort", close, { once: true });
    const path = first && pathOf(first);
    if (path !== undefined) paths.set(listener, path.replace(/^@/, "\0"));
    // The definition's counts, then the program's, then the unit's.
    const wanted = built?.sockets[name]?.backlog ?? backlog;
    if (wanted) for (const socket of sockets) Object.defineProperty(socket, "backlog", { value: wanted });
    if (first?.role === "connection") process.nextTick(() => listener.emit("listening"));

    let isTold = false;
    const hear = () => {
      isTold = true;
    };
    const fail = (error: ActivationError) => {
      if (callback && !(listener instanceof Server)) listener.off("listening", callback);
      // Node has emitted its own. Where only we have heard it, the program is to end as it would have.
      if (isTold && listener.listenerCount("error") > 0) return;
      process.nextTick(() => listener.emit("error", asNodesOwn(error, address)));
    };
    listener.once(errorMonitor, hear);
    tellLater(listener, () => from.listen(listener as Server, name))
      .catch(fail)
      .finally(() => listener.off(errorMonitor, hear));
  }

  /**
   * A descriptor is closed together with its server, and some programs try a port, close it, and then listen. So there is a
   * spare one, which the next has when the last is over.
   */
  function hold(socket: OwnedSocket, listener: Listener): void {
    const last = holders.get(socket);
    if (last?.spare !== undefined && isOver(last.listener)) {
      Object.defineProperty(socket, "fd", { value: last.spare });
      socket.state = "free";
    }
    if (socket.state === "free")
      holders.set(socket, { listener, spare: socket.fd === undefined ? undefined : duplicate(socket.fd) });
  }

  function leaveAlone(listener: Listener, address: Address): void {
    if (!listener.listeners(errorMonitor).includes(explain)) listener.on(errorMonitor, explain);
    if (isWatched) return;
    isWatched = true;
    setTimeout(() => {
      const what = "the program listens on an address that no passed socket is for";
      if (!isAdopted) print(`warning: ${what}; ${whatThereIs(formatAddress(address))}`);
    }, PATIENCE).unref();
  }

  function explain(error: NodeJS.ErrnoException & { address?: string; port?: number }): void {
    const { message, stack = "", syscall, address, port = -1 } = error;
    if (!REFUSALS.includes(error.code ?? "") || message.includes(REFUSED)) return;
    const wanted = port < 0 ? `unix:${address}` : `${syscall === "bind" ? "udp:" : ""}${port}`;
    error.message = `${message}. ${REFUSED}; ${whatThereIs(wanted)}`;
    error.stack = stack.replace(message, () => error.message);
  }

  function whatThereIs(address: string): string {
    const mend = built
      ? `give it a socket in the definition: { listen: ..., adopt: "${address}" }`
      : `name its socket "${address}" (FileDescriptorName=), or set ROUSE_ADOPT="NAME=${address}"`;
    return `passed: ${describe(...activation.sockets())}; mapped: ${describeRules(rules)}. To adopt ${address}, ${mend}`;
  }
}

/** Milliseconds after which a program that was passed sockets is expected to have adopted one. */
const PATIENCE = 3_000;

const REFUSED = "This address is not adopted, and the system does not let the program have it";

/** Of RestrictAddressFamilies=, a read-only file system, a user without privileges. */
const REFUSALS = ["EACCES", "EPERM", "EAFNOSUPPORT", "EROFS"];

/** A fallback takes no names of hosts. */
function textOf(address: Address): string {
  const isLocal = address.type !== "unix" && address.host?.toLowerCase() === "localhost";
  return formatAddress(isLocal ? { ...address, host: "127.0.0.1" } : address);
}

function pathOf({ address, fd }: PassedSocket): string | undefined {
  if (!address) return fd === undefined ? undefined : listedUnixPath(fd);
  return address.type === "unix" ? address.path : undefined;
}
