import { once } from "node:events";
import { holdSocket, spawnActivated } from "./passed-socket.ts";

/**
 * Starts a program with one passed socket on a free loopback port, as systemd would, and gives back the body of its first
 * HTTP answer. The program is stopped with SIGTERM; one that does not end with exit code 0 is an error, with what it printed.
 */
export async function firstAnswer(program: string, socketName: string): Promise<string> {
  const socket = holdSocket();
  const child = spawnActivated(program, [], { sockets: { [socketName]: socket } });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (printed += text));
  const ended = once(child, "exit") as Promise<[number | null]>;
  try {
    const answer = await fetch(`http://127.0.0.1:${socket.port}/`, { signal: AbortSignal.timeout(20_000) });
    return await answer.text();
  } catch (error) {
    throw new Error(`no answer; the program printed:\n${printed}`, { cause: error });
  } finally {
    child.kill("SIGTERM");
    const [code] = await ended;
    socket.close();
    if (code !== 0) process.stderr.write(`${program} ended with exit code ${code}:\n${printed}\n`);
  }
}
