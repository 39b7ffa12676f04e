/** Runs in place of the program in the main process of a service with workers. Bundled on its own, and a function's body there. */
import { built } from "../activation/built.ts";
import { startSupervisor } from "../activation/start-supervisor.ts";

startSupervisor({ workers: built!.workers! });
