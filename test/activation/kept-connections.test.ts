import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { startProgram } from "./program.ts";

test("a request that comes while another idle connection is being ended is answered", async () => {
  using held = Object.assign(holdSocket(), { [Symbol.dispose]: () => held.close() });
  // What the closing of thousands of connections takes, or a process that has to wait for its turn.
  const program = startProgram(
    `const server = http.createServer((request, response) => response.end("answer"));
     server.on("connection", (socket) => {
       const { destroy } = socket;
       socket.destroy = (...args) => {
         fs.writeSync(1, "ending " + socket.remotePort + ";");
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
         return Reflect.apply(destroy, socket, args);
       };
     });
     await activate().listen(server, "http");
     console.log("listening");`,
    { sockets: { http: held } },
  );
  await program.printed("listening");
  const clients = [await keptConnection(held.port), await keptConnection(held.port)];
  const ending = once(program.child.stdout!, "data");
  program.child.kill();
  const port = Number(/ending (\d+);/.exec((await ending)[0])![1]);
  const other = clients.find(({ localPort }) => localPort !== port)!;
  other.write(REQUEST);
  assert.match(await nextAnswer(other), /^Connection: close\r$.*answer/ms);
  assert.equal((await program.ended).code, 0);
});

// --- internal ---

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** One that has had an answer already. */
async function keptConnection(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.write(REQUEST);
  assert.match(await nextAnswer(socket), /^Connection: keep-alive\r$/m);
  return socket;
}

async function nextAnswer(socket: Socket): Promise<string> {
  let received = "";
  const ended = once(socket, "close").then(() => undefined);
  while (!/answer/.test(received)) {
    const data = await Promise.race([once(socket, "data"), ended]);
    if (!data) return received;
    received += String(data[0]);
  }
  return received;
}
