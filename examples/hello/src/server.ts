import { createServer } from "node:http";
import { activate } from "rouse";

const server = createServer((_request, response) => {
  response.setHeader("Content-Type", "text/plain");
  response.end("Hello World!\n");
});

// Under systemd this is the socket of hello.socket, on port 80. Started by hand, it is port 8080.
const activation = activate({ fallback: { hello: 8080 } });
await activation.listen(server, "hello");
