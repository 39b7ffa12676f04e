// The same by Rouse's runtime, which ends at SIGTERM without losing a request.
const { createServer } = require("node:http");
const { activate } = require("rouse");
const { version } = require("./version.cjs");

const server = createServer((_request, response) => response.end(`${version} ${process.pid}`));
activate({ fallback: { http: `127.0.0.1:${process.env.PORT ?? 0}` } }).listen(server, "http");
