import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";
import type { Source } from "./choose.ts";
import type { PassedSocket } from "./passed-socket.ts";
import type { ReloadWork } from "./reload.ts";

/** The sockets of this process by name, and its life from ready to drained. Iterating gives every socket. */
export interface Activation<N extends string = string> extends AsyncDisposable, Iterable<PassedSocket> {
  readonly source: Source;
  /** Aborts when draining starts: the moment to end what does not end by itself, such as WebSockets and event streams. */
  readonly signal: AbortSignal;
  /**
   * The one connection of a process per connection (Accept=yes, inetd nowait), for programs that read and write it
   * themselves; undefined where sockets listen. `listen` takes it for a server instead.
   */
  readonly connection: Socket | undefined;
  /** Who is at the other end of that connection: REMOTE_ADDR and REMOTE_PORT of systemd.socket(5), else what the kernel says. */
  readonly peer: Peer | undefined;
  /**
   * The one socket of that name.
   * @throws {ActivationError} missing-socket, several-sockets
   */
  socket(name: N): PassedSocket;
  /** The sockets of that name, or all; an empty list where there is none. */
  sockets(name?: N): readonly PassedSocket[];
  /**
   * Serves every socket of that name with one net, http, https or http2 server, or one of them with a dgram socket.
   * Resolves when all of them listen; when that was the last socket, READY=1 follows by itself, and where others are left,
   * three seconds later with a warning. An optional socket of the definition that is not there is passed over.
   * @throws {ActivationError} missing-socket, several-sockets, wrong-kind, unsupported-socket, socket-taken, address-in-use, permission-denied, listen-failed
   */
  listen(server: Server | DatagramSocket, socket: N | PassedSocket): Promise<void>;
  /**
   * What is written into the FIFO of that name, until draining ends it.
   * @throws {ActivationError} missing-socket, several-sockets, wrong-kind, socket-taken
   */
  fifo(name: N): Socket;
  /** Tells the service manager that the start is complete (READY=1 of sd_notify(3)), once. Without a manager it does nothing. */
  ready(status?: string): Promise<void>;
  /** One line for `systemctl status` (STATUS= of sd_notify(3)). */
  status(text: string): void;
  /** Asks the manager for `milliseconds` more, from now on, to become ready, to reload or to stop (EXTEND_TIMEOUT_USEC= of sd_notify(3)). */
  extendTimeout(milliseconds: number): void;
  /** Does `work` at each SIGHUP (`systemctl reload`), between RELOADING=1 and READY=1. Gives the function that takes this back. */
  onReload(work: ReloadWork): () => void;
  /**
   * Gives the manager a copy of an open descriptor, to be passed to the next start of this service as a socket of that name
   * (FDSTORE=1 of sd_notify(3), for units with FileDescriptorStoreMax=). Resolves when the manager has it; to false where there is none to take it.
   * @throws {TypeError} for a name that cannot be passed on
   */
  store(name: string, fd: number): Promise<boolean>;
  /** Has the manager forget what it stores under that name. */
  unstore(name: string): void;
  /** Resolves when the manager has read all that it was told (BARRIER=1 of sd_notify(3)): before a program that was told about may end. */
  barrier(): Promise<void>;
  /**
   * Ends serving without losing a request: stops accepting, answers all that was received, tells clients to go elsewhere
   * (`Connection: close`, GOAWAY) and resolves when the last connection has ended. After `deadline` milliseconds (three quarters of the definition's stopTimeout, 15 000 unless it says another)
   * it destroys what is left. Further calls wait for the first.
   */
  drain(options?: { readonly deadline?: number }): Promise<void>;
}

/** `address`: an IP address, or of a unix socket its path, "@name", or undefined where it has none. */
export interface Peer {
  readonly address: string | undefined;
  readonly port: number | undefined;
}
