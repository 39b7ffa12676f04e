/** Runs before the program of a service with workers, inside the executable: a worker joins its supervisor. Bundled on its own. */
import { joinSupervisor } from "../activation/worker.ts";

/** False in the main process, which is to run the supervisor and not the program. */
export const isWorker: boolean = joinSupervisor(process.env);
