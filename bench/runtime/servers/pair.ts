/**
 * Two plain servers and one of ours on the passed socket, in one process, and a client that asks them in turn for a few
 * milliseconds each: with the same heap and compilers and in the same weather, so that small differences show. Prints, for
 * each server, the CPU time of every slice, of server and client together, in microseconds for each request.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { activate } from "rouse";
import { answer } from "./answer.ts";

const { ROUNDS, KEEP_ALIVE } = process.env;
const rounds = Number(ROUNDS);
const milliseconds = 20;
const connections = 4;
const warmUp = 40;
const request = `GET / HTTP/1.1\r\nHost: localhost\r\n${KEEP_ALIVE ? "" : "Connection: close\r\n"}\r\n`;

async function main(): Promise<void> {
  const [plain, again, ours] = [createServer(answer), createServer(answer), createServer(answer)];
  for (const server of [plain, again]) await once(server.listen(0, "127.0.0.1"), "listening");
  await activate({ fallback: { hello: "127.0.0.1:0" } }).listen(ours, "hello");
  const contestants = [];
  for (const server of [plain, again, ours]) {
    contestants.push({ ask: KEEP_ALIVE ? await keepAlive(server) : reconnect(server), costs: [] as number[] });
  }
  for (let round = -warmUp; round < rounds; round++) {
    for (const { ask, costs } of round % 2 === 0 ? contestants : contestants.toReversed()) {
      const before = process.threadCpuUsage();
      const requests = await ask(performance.now() + milliseconds);
      const { user, system } = process.threadCpuUsage(before);
      if (round >= 0) costs.push((user + system) / requests);
    }
  }
  console.log(JSON.stringify(contestants.map(({ costs }) => costs)));
  process.exit();
}
main();

/** Asks until the deadline; gives how many answers came. */
type Ask = (deadline: number) => Promise<number>;

async function keepAlive(server: Server): Promise<Ask> {
  const sockets = Array.from({ length: connections }, () => open(server));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return async (deadline) => {
    const counts = sockets.map(async (socket) => {
      let count = 0;
      do {
        socket.write(request);
        await once(socket, "data");
        count++;
      } while (performance.now() < deadline);
      return count;
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count);
  };
}

function reconnect(server: Server): Ask {
  return async (deadline) => {
    let count = 0;
    const askAgain = async (): Promise<void> => {
      do {
        const socket = open(server).resume();
        socket.write(request);
        await once(socket, "close");
        count++;
      } while (performance.now() < deadline);
    };
    await Promise.all(Array.from({ length: connections }, askAgain));
    return count;
  };
}

function open(server: Server): Socket {
  return connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", noDelay: true });
}
