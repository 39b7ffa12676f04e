// Serves sockets of every kind: tells over HTTP what was passed and what has been received.
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { activate } from "rouse";

const activation = activate<"web" | "admin" | "stats" | "orders">();
const received: Record<string, string> = {};
const take = (name: string, data: unknown) => {
  received[name] = (received[name] ?? "") + String(data);
};

const answer = (who: string) =>
  createServer((request, response) => {
    const sockets = [...activation].map(({ name, type, family, role, fd, address, backlog }) => {
      return { name, type, family, role, fd, address, backlog };
    });
    response.end(JSON.stringify({ who, local: request.socket.localAddress, sockets, received }));
  });

for (const socket of activation.sockets("stats")) {
  const datagrams = createSocket(socket.family === "ipv4" ? "udp4" : "udp6");
  datagrams.on("message", (message, from) => {
    take(`stats ${socket.family}`, message);
    datagrams.send(String(message).toUpperCase(), from.port, from.address);
  });
  await activation.listen(datagrams, socket);
}
activation.fifo("orders").on("data", (data) => take("orders", data));
await activation.listen(answer("admin"), "admin");
await activation.listen(answer("web"), "web");
