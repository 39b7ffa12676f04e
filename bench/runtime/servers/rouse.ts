/** Serves the sockets of these NAMES, or descriptor FD. With MARKS it prints what each step cost, in milliseconds, and ends. */
import { createServer } from "node:http";
import { answer } from "./answer.ts";
import "./mark.ts";
import { activate } from "rouse";
import { beforeRuntime } from "./mark.ts";

const loaded = performance.now();
const { NAMES = "hello", FD, MARKS } = process.env;
const names = NAMES.split(",");
const servers = names.map(() => createServer(answer));

const fallback = Object.fromEntries(names.map((name) => [name, "127.0.0.1:0"]));
const options = FD ? { fallback, fd: Number(FD) } : { fallback };

const start = performance.now();
const activation = activate(options);
const activated = performance.now();
Promise.all(names.map((name, index) => activation.listen(servers[index]!, name)))
  .then(() => activation.ready())
  .then(() => {
    const ready = performance.now();
    if (!MARKS) return;
    const { source } = activation;
    console.log(
      JSON.stringify({ source, load: loaded - beforeRuntime, activate: activated - start, serve: ready - activated }),
    );
    process.exit();
  });
