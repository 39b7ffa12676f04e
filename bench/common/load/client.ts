/** A load client for where there is no Go: client.go, with the same order and result. Raw sockets, because node:http would cost more than the servers do. */
import { connect } from "node:net";
import { quantile } from "../quantile.ts";
import type { LoadOrder } from "./load.ts";

const { port, connections, milliseconds, keepAlive } = JSON.parse(process.argv[2]!) as LoadOrder;
const request = `GET / HTTP/1.1\r\nHost: localhost\r\n${keepAlive ? "" : "Connection: close\r\n"}\r\n`;
const latencies: number[] = [];

const start = performance.now();
const before = process.cpuUsage();
const deadline = start + milliseconds;
await Promise.all(Array.from({ length: connections }, askUntilDeadline));
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(before);
const cpu = (user + system) / 1000;
const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
process.stdout.write(JSON.stringify({ requests: latencies.length, seconds, cpu, p50, p99 }));

// --- internal ---

async function askUntilDeadline(): Promise<void> {
  while (performance.now() < deadline) await useConnection();
}

/** For one request, or for all until the deadline. Resolves when the connection has ended. */
function useConnection(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let asked = performance.now();
  let answer = "";
  const socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => socket.write(request));
  socket.setEncoding("latin1").setTimeout(10_000, () => socket.destroy(new Error("no answer within 10 s")));
  socket.on("error", reject);
  socket.on("close", () => resolve());
  socket.on("data", (text) => {
    answer += text;
    if (!answer.endsWith("Hello World!\n")) return;
    if (!answer.startsWith("HTTP/1.1 200 ")) socket.destroy(new Error(`a bad answer: ${answer}`));
    latencies.push(performance.now() - asked);
    answer = "";
    if (!keepAlive) return;
    asked = performance.now();
    if (asked < deadline) socket.write(request);
    else socket.destroy();
  });
  return promise;
}
