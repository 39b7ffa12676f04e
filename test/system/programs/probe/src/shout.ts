// Knows nothing of sockets, nor of Rouse: reads lines from standard input and shouts them to standard output.
import { createInterface } from "node:readline";

console.error("a caller");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "bye") break;
  console.log(`${line.toUpperCase()}!`);
}
