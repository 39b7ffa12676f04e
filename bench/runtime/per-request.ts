/** What our server does more for each request than a plain one, by servers/pair.ts. */
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { holdSocket, spawnActivated } from "../../test/helpers/passed-socket.ts";
import type { Command } from "../common/build.ts";
import type { Figures } from "../common/figures.ts";
import { median, medianInterval } from "../common/quantile.ts";
import type { Programs } from "./programs.ts";

export async function measurePerRequest({ pair }: Programs, rounds: number): Promise<Figures> {
  const kept = rowsOf("connections kept alive", await runPair(pair, rounds, true));
  const closed = rowsOf("a connection for each request", await runPair(pair, rounds, false));
  return {
    title: `CPU time of one request, server and client in one process, ${rounds} rounds`,
    head: ["", "us", "more than plain, us", "95 % between"],
    rows: [...kept, ...closed],
  };
}

// --- internal ---

async function runPair([program, ...args]: Command, rounds: number, keepAlive: boolean): Promise<number[][]> {
  const socket = holdSocket();
  try {
    const env = { ROUNDS: String(rounds), KEEP_ALIVE: keepAlive ? "1" : "", NOTIFY_SOCKET: undefined };
    const child = spawnActivated(program!, args, { sockets: { hello: socket }, env, timeout: 60_000 });
    const [output, errors, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, "exit")]);
    if (code !== 0) throw new Error(`the pair ended with ${code}: ${errors.trim()}`);
    return JSON.parse(output);
  } finally {
    socket.close();
  }
}

function rowsOf(load: string, costs: readonly (readonly number[])[]): string[][] {
  const names = ["plain node:http", "the same once more: the noise", "activation.listen"];
  return costs.map((each, index) => {
    const more = each.map((cost, round) => cost - costs[0]![round]!);
    const [low, high] = medianInterval(more);
    return [
      `${load}: ${names[index]}`,
      median(each).toFixed(1),
      index === 0 ? "" : median(more).toFixed(2),
      index === 0 ? "" : `${low.toFixed(2)} to ${high.toFixed(2)}`,
    ];
  });
}
