import { createServer } from "node:http";

const server = createServer((_request, response) => {
  response.setHeader("Content-Type", "text/plain");
  response.end("Hello World!\n");
});
server.listen({ fd: 3 });
