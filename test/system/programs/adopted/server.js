import { createSocket } from "node:dgram";
import { createServer } from "node:http";

const port = process.env.PORT || 3000;
const received = [];

const server = createServer((request, response) => {
  const answer = () => response.end(JSON.stringify({ pid: process.pid, received }));
  if (request.url === "/slow") setTimeout(answer, 1500);
  else answer();
});
server.listen(port, () => console.log("listening on", server.address()));

const admin = createServer((_, response) => response.end("admin")).listen(3001, "localhost", () => {
  console.log("admin is on", admin.address());
});
admin.on("error", (error) => console.log("admin:", error.message));

const stats = createSocket("udp6").on("message", (message) => received.push(String(message)));
stats.bind(8125);

const metrics = createServer().on("error", (error) => console.log(error.code, error.message));
metrics.listen(9090);
