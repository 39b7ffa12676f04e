// Run by harness.test.ts, which ends it by a signal: boots a machine, prints its name and waits.
import { setTimeout as sleep } from "node:timers/promises";
import { bootMachine } from "./machine.ts";

await using machine = await bootMachine();
process.stdout.write(`${machine.name}\n`);
await sleep(60_000);
