/** What `rouse build` knows of the service and writes into the bundle in place of ROUSE_BUILT (esbuild's `define`). */
export interface Built {
  readonly name: string;
  /** Milliseconds between the manager's stop signal and its kill. */
  readonly stopTimeout: number;
  readonly sockets: Readonly<Record<string, { readonly backlog?: number }>>;
}

declare const ROUSE_BUILT: Built | undefined;

/** Undefined where the program runs from its sources. */
export const built: Built | undefined = typeof ROUSE_BUILT === "undefined" ? undefined : ROUSE_BUILT;
