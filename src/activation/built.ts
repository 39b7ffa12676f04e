/** What `rouse build` knows of the service and writes into the bundle in place of ROUSE_BUILT (esbuild's `define`). */
export interface Built {
  readonly name: string;
  /** Milliseconds between the manager's stop signal and its kill. */
  readonly stopTimeout: number;
  /** Milliseconds without a connection after which the program ends. */
  readonly idleExit?: number;
  /** How many processes serve under a supervisor; absent where the program serves by itself. */
  readonly workers?: number | "auto";
  readonly sockets: Readonly<Record<string, BuiltSocket>>;
}

export interface BuiltSocket {
  readonly backlog?: number;
  /** The address that the program itself listens on, as formatAddress writes it: "3000", "127.0.0.1:3000", "unix:./x.sock". */
  readonly adopt?: string;
  /** The program runs without it too. */
  readonly optional?: true;
}

declare global {
  /** Set in a built program, whose Node is known: it does not carry what others need. To be asked by typeof, where it is needed. */
  const ROUSE_HAS_FFI: true | undefined;
  /**
   * Set in a program whose definition has a socket with a process per connection: a connected socket on descriptor 0 is then
   * for it, under the name that systemd gives one. A define of its own, so that no other program carries what it is for.
   */
  const ROUSE_ACCEPT: "connection" | undefined;
}

declare const ROUSE_BUILT: Built | undefined;

/** Undefined where the program runs from its sources. */
export const built: Built | undefined = typeof ROUSE_BUILT === "undefined" ? undefined : ROUSE_BUILT;
