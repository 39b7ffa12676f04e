// node:http on what was passed as descriptor 3, else on PORT. It handles no signal. The answer: its version and process.
const { createServer } = require("node:http");
const { version } = require("./version.cjs");

const { LISTEN_FDS, PORT } = process.env;
const place = LISTEN_FDS ? { fd: 3 } : { host: "127.0.0.1", port: Number(PORT) };
createServer((_request, response) => response.end(`${version} ${process.pid}`)).listen(place);
