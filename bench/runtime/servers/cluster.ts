/** Two processes by node:cluster, on any free port, which it prints. */
import cluster from "node:cluster";
import { createServer } from "node:http";
import { answer } from "./answer.ts";

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  let listening = 0;
  cluster.on("listening", (_worker, { port }) => {
    if (++listening === workers.length) console.log(port);
  });
  process.once("SIGTERM", () => {
    for (const worker of workers) worker.kill();
    process.exit();
  });
} else {
  createServer(answer).listen({ port: 0, host: "127.0.0.1" });
}
