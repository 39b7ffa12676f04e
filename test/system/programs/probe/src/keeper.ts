// Has systemd keep its state over a restart: a counter in a file without a name, and a listening socket of its own making.
import { openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { Server, Socket } from "node:net";
import { activate } from "rouse";

const activation = activate<"web" | "counter" | "own" | "talk">();
const kept = activation.sockets().map(({ name, type, role }) => `${name} ${type} ${role}`);
/** Node hides the descriptor of what it has opened itself. */
const descriptorOf = (handle: unknown) => (handle as { _handle: { fd: number } })._handle.fd;

let file = activation.sockets("counter")[0]?.fd;
const stored: Record<string, boolean> = {};
if (file === undefined) {
  const path = `${process.env.RUNTIME_DIRECTORY}/counter`;
  file = openSync(path, "w+");
  unlinkSync(path);
  writeSync(file, "0", 0);
  stored.counter = await activation.store("counter", file);
}

// A listener that no unit knows: its queue outlives the process.
const [listener] = activation.sockets("own");
const own = new Server((socket) => socket.resume().end(`own of ${process.pid}\n`));
if (listener) await activation.listen(own, listener);
else {
  await new Promise<void>((resolve) => own.listen(9000, resolve));
  stored.own = await activation.store("own", descriptorOf(own));
}

// A connection: who holds it goes on talking to the next process.
const [connected] = activation.sockets("talk");
if (connected) {
  const talk = new Socket({ fd: connected.fd! });
  talk.on("data", (data) => talk.write(`${process.pid} heard ${data}`));
  talk.write(`here is ${process.pid}\n`);
}
const talks = new Server(async (socket) => {
  await activation.store("talk", descriptorOf(socket));
  socket.write(`stored by ${process.pid}\n`);
});
await new Promise<void>((resolve) => talks.listen(9001, resolve));

const server = createServer(async (request, response) => {
  const count = Number(readFileSync(`/proc/self/fd/${file}`, "utf8"));
  if (request.url === "/add") writeSync(file, String(count + 1), 0);
  if (request.url === "/forget") {
    activation.unstore("counter");
    await activation.barrier();
  }
  response.end(JSON.stringify({ pid: process.pid, kept, stored, count }));
});
await activation.listen(server, "web");
