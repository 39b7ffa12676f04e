// Does what a sandbox denies, when it is asked to or at once with the name in $DEED, and prints what comes of it.
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { networkInterfaces, setPriority } from "node:os";
import { activate } from "rouse";

const deeds: Readonly<Record<string, () => unknown>> = {
  state: () => writeFileSync(`${process.env.STATE_DIRECTORY}/kept`, ""),
  write: () => writeFileSync("/var/lib/denied-by-the-sandbox", ""),
  cache: () => mkdirSync("/var/cache/denied-by-the-sandbox"),
  home: () => readFileSync("/home/notes.txt"),
  project: () => readFileSync("/srv/denied/data.json"),
  temporary: () => readFileSync("/tmp/shared.txt"),
  device: () => readFileSync("/dev/notes"),
  process: () => readFileSync("/proc/1/status"),
  secret: () => readFileSync("/etc/secret"),
  nowhere: () => readFileSync("/etc/nowhere"),
  spawn: () => once(spawn("true"), "exit"),
  chown: () => {
    writeFileSync("/tmp/own", "");
    chownSync("/tmp/own", process.getuid!(), statSync("/tmp/own").gid);
  },
  setuid: () => process.setuid!(process.getuid!()),
  priority: () => setPriority(5),
  interfaces: () => networkInterfaces(),
  connect: async () => {
    const socket = connect(8081, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
  },
  fetch: async () => await (await fetch("http://127.0.0.1:8081/")).text(),
  lookup: async () => await lookup("somewhere.example"),
  listen: async () => {
    const server = createTcpServer().listen(8082, "127.0.0.1");
    await once(server, "listening");
    server.close();
  },
  datagram: async () => {
    const socket = createSocket("udp4").bind(8083);
    await once(socket, "listening");
    socket.close();
  },
  hang: () => {
    for (;;);
  },
  stay: () => void process.on("SIGTERM", () => {}),
  crash: () => {
    throw new Error("as asked");
  },
};

/** What a service is given. */
function found(): Record<string, unknown> {
  const { CREDENTIALS_DIRECTORY, STATE_DIRECTORY, CACHE_DIRECTORY, GREETING, FROM_FILE, FROM_SHELL, NODE_ENV } =
    process.env;
  const credential = CREDENTIALS_DIRECTORY && readFileSync(`${CREDENTIALS_DIRECTORY}/token`, "utf8");
  for (const folder of [STATE_DIRECTORY, CACHE_DIRECTORY]) writeFileSync(`${folder}/file`, "");
  return { credential, GREETING, FROM_FILE, FROM_SHELL, NODE_ENV };
}

/** @returns "done", or the error's code */
async function does(name: string): Promise<string> {
  try {
    await deeds[name]!();
    return "done";
  } catch (error) {
    console.error(error);
    return String((error as NodeJS.ErrnoException).code ?? error);
  }
}

if (process.env.DEED) {
  console.log(`deed ${process.env.DEED}: ${await does(process.env.DEED)}`);
} else {
  const server = createServer(async (request, response) => {
    const name = request.url!.slice(1);
    if (name === "crash") setImmediate(deeds.crash as () => void);
    if (name === "found") response.end(JSON.stringify(found()));
    else response.end(name in deeds && name !== "crash" ? await does(name) : `hello from ${process.pid}`);
  });
  const activation = activate();
  await activation.listen(server, "http");
  if (activation.sockets().some(({ name }) => name === "admin"))
    await activation.listen(
      createServer((_, response) => response.end("admin")),
      "admin",
    );
}
