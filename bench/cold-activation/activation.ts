import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { holdSocket, spawnActivated } from "../../test/helpers/passed-socket.ts";
import { ask } from "./client.ts";
import { readMemory, type Sample } from "./sample.ts";

/**
 * One cold activation, this process being the service manager: it listens, a client connects and asks, and only then does
 * the server start, with the socket as descriptor 3. Afterwards everything is gone again.
 * @throws {Error} with what the server printed, when it does not answer
 */
export async function activateOnce(command: readonly string[]): Promise<Sample> {
  const [program, ...args] = command;
  const socket = holdSocket();
  const question = ask(socket.port);
  try {
    await question.sent;
    const server = spawnActivated(program!, args, { sockets: { hello: socket }, env: cleanEnvironment });
    running = server;
    try {
      const milliseconds = await Promise.race([question.answered, failure(server)]);
      return { milliseconds, memory: readMemory(server.pid!) };
    } finally {
      await end(server);
    }
  } finally {
    question.close();
    socket.close();
  }
}

/** Milliseconds from start to exit of a program that does nothing. */
export async function runOnce(command: readonly string[]): Promise<Sample> {
  const [program, ...args] = command;
  const start = performance.now();
  // The same shell in front as the servers have.
  const child = spawn("/bin/sh", ["-c", 'exec "$0" "$@"', program!, ...args], {
    env: { ...process.env, ...cleanEnvironment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running = child;
  const failed = failure(child);
  failed.catch(() => {});
  const [code] = await once(child, "exit");
  if (code !== 0) await failed;
  return { milliseconds: performance.now() - start };
}

// --- internal ---

/** Not outlived by what it started, even when it is stopped in the middle of a round. */
let running: ChildProcess | undefined;
process.on("exit", () => running?.kill("SIGKILL"));

/** What would change how a server starts, or whom it tells. */
const cleanEnvironment: NodeJS.ProcessEnv = {
  NODE_OPTIONS: undefined,
  NODE_COMPILE_CACHE: undefined,
  NODE_DEBUG: undefined,
  NOTIFY_SOCKET: undefined,
};

/** Rejects when the program ends, or cannot be started; until then it waits. */
async function failure(child: ChildProcess): Promise<never> {
  const printed = text(child.stderr!);
  const [code, signal] = await once(child, "exit");
  throw new Error(`${child.spawnargs.slice(3).join(" ")} ended with ${code ?? signal}: ${(await printed).trim()}`);
}

/** By SIGKILL: how a server ends is not measured, and must not differ between them. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
