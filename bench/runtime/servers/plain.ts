/** node:http and nothing else, on the passed sockets (FDS=3,4) or on any free port, which it prints. With MARKS it prints what that cost, and ends. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answer } from "./answer.ts";

const { FDS, MARKS } = process.env;
const places = FDS ? FDS.split(",").map((fd) => ({ fd: Number(fd) })) : [{ port: 0, host: "127.0.0.1" }];
const servers = places.map(() => createServer(answer));

const start = performance.now();
Promise.all(places.map((place, index) => once(servers[index]!.listen(place), "listening"))).then(() => {
  const serve = performance.now() - start;
  console.log(MARKS ? JSON.stringify({ serve }) : (servers[0]!.address() as AddressInfo).port);
  if (MARKS) process.exit();
});
