import type { Server } from "node:net";
import { UNNAMED } from "../../systemd/listen-fds.ts";
import { notify, status } from "../../systemd/notify.ts";
import { ActivationError } from "./error.ts";
import { describeSocket, type OwnedSocket, type PassedSocket } from "./passed-socket.ts";
import { debug } from "./report.ts";
import { ServedServer } from "./served-server.ts";
import { stopOn } from "./stop-signals.ts";

/** Where the sockets come from: handed over by systemd's protocol, or bound by the program itself. */
export type Source = "systemd" | "bind";

/** Milliseconds. Below the TimeoutStopSec=20s of the units that Rouse writes, so that we end and are not killed. */
const DEFAULT_DEADLINE = 15_000;

/** The sockets of this process by name, and its life from ready to drained. Comes from `activate()`. */
export class Activation<N extends string = string> implements AsyncDisposable {
  readonly source: Source;
  /** Aborts when draining starts: the moment to end what does not end by itself, such as WebSockets and event streams. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #hurry = new AbortController();
  readonly #sockets: readonly OwnedSocket[];
  readonly #asked: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #servers = new Map<Server, ServedServer>();
  readonly #forgetSignals: () => void;
  #saidReady = false;
  #drained: Promise<void> | undefined;

  /** @internal */
  constructor(facts: ActivationFacts) {
    this.source = facts.source;
    this.signal = this.#abort.signal;
    this.#sockets = facts.sockets;
    this.#asked = facts.asked;
    this.#env = facts.env;
    this.#forgetSignals = stopOn(facts.signals, {
      stop: async () => {
        await this.drain();
        return { drained: !this.#sockets.some((socket) => socket.lent), deadline: DEFAULT_DEADLINE };
      },
      hurry: () => this.#hurry.abort(),
    });
  }

  /**
   * The one socket of that name.
   * @throws {ActivationError} missing-socket; several-sockets
   */
  socket(name: N): PassedSocket {
    const [socket, ...others] = this.#require(name);
    if (others.length === 0) return socket!;
    throw new ActivationError(
      "several-sockets",
      `there are ${others.length + 1} sockets named "${name}": ${this.#sockets.map(describeSocket).join(", ")}`,
      `Use sockets("${name}"), or listen(server, "${name}"), which serves them all`,
    );
  }

  /** The sockets of that name, or all; an empty list where there is none. */
  sockets(name?: N): readonly PassedSocket[] {
    return name === undefined ? this.#sockets : this.#find(name);
  }

  /**
   * Serves every socket of that name with one net, http, https or http2 server. Resolves when all of them listen;
   * when that was the last socket, READY=1 follows by itself.
   * @throws {ActivationError} missing-socket, socket-taken, address-in-use, permission-denied, path-not-a-socket, listen-failed, draining
   */
  async listen(server: Server, name: N): Promise<void> {
    const sockets = this.#require(name);
    this.#requireFree(sockets);
    const served = this.#servers.get(server) ?? new ServedServer(server);
    this.#servers.set(server, served);
    for (const socket of sockets) socket.state = "taken";
    try {
      await served.listen(sockets);
    } catch (error) {
      // A failed listen closes a descriptor that was passed; an address may be tried again.
      for (const socket of sockets) if (socket.fd === undefined) socket.state = "free";
      throw error;
    }
    for (const socket of sockets) socket.state = "listening";
    debug(() => `listening on ${sockets.map(describeSocket).join(", ")}`);
    // Not before the program's next step, which may be a ready() with a status.
    if (this.#sockets.every((socket) => socket.state === "listening")) setImmediate(() => void this.ready());
  }

  /** Tells the service manager that the start is complete (READY=1 of sd_notify(3)), once. Without a manager it does nothing. */
  async ready(text?: string): Promise<void> {
    const lines = text === undefined ? [] : [status(text)];
    if (!this.#saidReady && !this.#drained) lines.unshift("READY=1");
    this.#saidReady = true;
    if (lines.length > 0) notify(this.#env, lines.join("\n"));
  }

  /** One line for `systemctl status` (STATUS= of sd_notify(3)). */
  status(text: string): void {
    notify(this.#env, status(text));
  }

  /**
   * Ends serving without losing a request: stops accepting, answers all that was received, tells clients to go elsewhere
   * (`Connection: close`, GOAWAY) and resolves when the last connection has ended. After `deadline` milliseconds (15 000)
   * it destroys what is left. Further calls wait for the first.
   */
  drain(options: { readonly deadline?: number } = {}): Promise<void> {
    this.#drained ??= this.#drain(options.deadline ?? DEFAULT_DEADLINE);
    return this.#drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #drain(deadline: number): Promise<void> {
    debug(() => `draining, for at most ${deadline} ms`);
    notify(this.#env, "STOPPING=1");
    this.#abort.abort();
    await Promise.all([...this.#servers.values()].map((served) => served.drain(deadline, this.#hurry.signal)));
    this.#forgetSignals();
    debug(() => "drained");
  }

  #require(name: string): readonly OwnedSocket[] {
    const sockets = this.#find(name);
    if (sockets.length > 0) return sockets;
    const bound = this.source === "bind";
    const list = this.#sockets.map(describeSocket).join(", ") || "none";
    const asked = this.#asked.length > 0 ? ` The program's fallback names ${this.#asked.join(", ")}.` : "";
    throw new ActivationError(
      "missing-socket",
      bound
        ? `no socket was passed, and there is no fallback for "${name}"; there are: ${list}`
        : `no socket named "${name}" was passed; passed were: ${list}.${asked}`.replace(/\.$/, ""),
      bound
        ? `Start the program by its .socket unit, or name an address: activate({ fallback: { ${name}: 8080 } })`
        : `Name it where it is passed: FileDescriptorName=${name} in the .socket unit, --fdname=${name} for systemd-socket-activate`,
    );
  }

  /**
   * By name, never by position. Where nobody gave names (systemfd, systemd-socket-activate without --fdname) and there is
   * nothing to confuse, the sockets are what is asked for: all of them for a program with one name, the one for a program
   * that declares none.
   */
  #find(name: string): readonly OwnedSocket[] {
    if (this.#sockets.some((socket) => socket.name !== UNNAMED)) return this.#sockets.filter((s) => s.name === name);
    const sole =
      this.#asked.length === 0 ? this.#sockets.length === 1 : this.#asked.length === 1 && this.#asked[0] === name;
    return sole || name === UNNAMED ? this.#sockets : [];
  }

  #requireFree(sockets: readonly OwnedSocket[]): void {
    const taken = sockets.find((socket) => socket.state !== "free");
    if (taken) {
      throw new ActivationError(
        "socket-taken",
        `${describeSocket(taken)} already has a server in this process, or had one`,
        "Call listen once per name: a descriptor is closed together with its server",
      );
    }
    if (!this.#drained) return;
    throw new ActivationError(
      "draining",
      `${describeSocket(sockets[0]!)}: this process is stopping`,
      "Listen before drain",
    );
  }
}

export interface ActivationFacts {
  readonly source: Source;
  readonly sockets: readonly OwnedSocket[];
  /** The names of the fallback. */
  readonly asked: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly signals: readonly NodeJS.Signals[];
}
