/** The thread of poller.ts. It is told the whole list of descriptors anew each time, by a message and a byte that wakes it. */
import { readSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { pollReadable } from "./system-calls.ts";

const { wake } = workerData as { readonly wake: number };
const port = parentPort!;
let watched: readonly number[] | undefined = [];

while (watched) {
  const readable = pollReadable([wake, ...watched], -1);
  if (readable.delete(wake)) {
    readSync(wake, Buffer.alloc(64));
    for (let told = receiveMessageOnPort(port); told; told = receiveMessageOnPort(port)) {
      watched = told.message as readonly number[] | undefined;
    }
  } else if (readable.size > 0) {
    // Each is told of once; who wants to know more asks anew.
    watched = watched.filter((fd) => !readable.has(fd));
    port.postMessage([...readable]);
  }
}
port.close();
