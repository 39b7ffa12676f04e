/** What a worker's runtime knows of its supervisor. Who started the worker has put it there (worker.ts), before the program runs. */
import type { Manager } from "../../systemd/notify.ts";
import type { BindRequest } from "./channel.ts";
import type { Source } from "./choose.ts";
import type { Idle } from "./idle-exit.ts";

/** Plain data and functions, because the code behind it may be another copy of this runtime. */
export interface Supervisor {
  /** Where the supervisor has the sockets from. With "bind" there are none. */
  readonly source: Source;
  readonly sockets: readonly { readonly name: string; readonly fd: number }[];
  /** To its worker it is the service manager. */
  readonly manager: Manager;
  /** Tells it when there has been no connection for `milliseconds`, and when there is one again. It leaves when all workers are idle. */
  watchIdle(milliseconds: number, isBusy: () => boolean): Idle;
  /**
   * Has an address bound, once for all workers, and waits for it: a listen call of the program cannot be put off.
   * Gives this process's descriptor of it.
   * @throws an error as Node's listen gives it, with `code`
   */
  bind(request: BindRequest): number;
}

/** Undefined in a process that no supervisor has started. */
export function supervisor(): Supervisor | undefined {
  return here[KEY];
}

export function enterSupervisor(one: Supervisor): void {
  here[KEY] = one;
}

// --- internal ---

const KEY = Symbol.for("rouse.supervisor");
const here = process as { [KEY]?: Supervisor };
