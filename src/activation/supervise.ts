/** Workers for a program that is not built by Rouse: one process keeps the sockets, and others, started by it, serve them. */
import { type StartOptions, startSupervisor } from "./start-supervisor.ts";
import { joinSupervisor } from "./worker.ts";

export interface SuperviseOptions extends Omit<StartOptions, "workers"> {
  /** How many processes serve. "auto": one for each processor that this process may use. 0: this one serves, without a supervisor. */
  readonly workers: number | "auto";
}

/**
 * Makes this process the supervisor of workers, which are the same program started again: in them it calls `main`, which
 * activates and serves as ever; here it does not, and never resolves. SIGHUP starts the workers anew from the path on disk,
 * and ends the present ones when the new ones are ready. A built program has all this by "workers" in its definition.
 * @throws {ActivationError} as activate does; bad-option
 */
export async function supervise({ workers, ...options }: SuperviseOptions, main: () => unknown): Promise<void> {
  if (workers === 0 || joinSupervisor(process.env)) await main();
  else await new Promise<never>(() => startSupervisor({ workers, ...options }));
}
