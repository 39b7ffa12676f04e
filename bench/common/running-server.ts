import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type HeldSocket, holdSocket, spawnActivated } from "../../test/helpers/passed-socket.ts";
import type { Command } from "./build.ts";

/** A server that runs until it is disposed of. */
export interface RunningServer extends AsyncDisposable {
  readonly port: number;
  /** Milliseconds of CPU time that it and its children have used until now. */
  cpu(): number;
}

/** Starts one that prints the port that it chose. */
export async function startPlain([program, ...args]: Command, env: NodeJS.ProcessEnv = {}): Promise<RunningServer> {
  const child = spawn(program!, args, { env: { ...process.env, ...clean, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const printed = await Promise.race([once(child.stdout, "data"), failure(child)]);
  return running([child], Number(printed));
}

export interface PassedOptions {
  /** In a session of its own: Linux shares the CPUs out among sessions first (autogroup of sched(7)). */
  readonly detached?: boolean;
}

/** Starts one on a passed socket, by systemd's protocol; `env` may say otherwise. */
export async function startPassed(
  command: Command,
  env: NodeJS.ProcessEnv = {},
  options: PassedOptions = {},
): Promise<RunningServer> {
  return await startShared(command, 1, env, options);
}

/** Starts the same program more than once, all on one passed socket. */
export async function startShared(
  command: Command,
  count: number,
  env: NodeJS.ProcessEnv,
  options: PassedOptions = {},
): Promise<RunningServer> {
  const [program, ...args] = command;
  const socket = holdSocket({ backlog: 511 }); // As Node's own.
  const children = Array.from({ length: count }, () =>
    spawnActivated(program!, args, { ...options, sockets: { hello: socket }, env: { ...clean, ...env } }),
  );
  const answered = fetch(`http://127.0.0.1:${socket.port}/`, { signal: AbortSignal.timeout(10_000) });
  await Promise.race([answered.then((response) => response.text()), ...children.map(failure)]);
  await sleep(300); // The others start as long as the first; nobody says when.
  return running(children, socket.port, socket);
}

export interface LaunchedServer extends RunningServer {
  /** Of what was started: the launcher, if there is one. */
  readonly pid: number;
  /** Milliseconds from its start to the first byte of an answer. */
  readonly firstAnswer: number;
  /** The body of that answer. */
  readonly answer: string;
}

/** Starts one by itself or by what launches it, that listens on this port of 127.0.0.1, and asks until it answers. */
export async function startOn(
  port: number,
  [program, ...args]: Command,
  { cwd, env }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<LaunchedServer> {
  const start = performance.now();
  const child = spawn(program!, args, {
    cwd,
    env: { ...process.env, ...clean, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const failed = failure(child);
  failed.catch(() => {});
  const server = running([child], port);
  try {
    const { answer, at } = await Promise.race([firstAnswer(port, AbortSignal.timeout(20_000)), failed]);
    return Object.assign(server, { pid: child.pid!, firstAnswer: at - start, answer });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** A process and all that descend from it. */
export function processTree(root: number): number[] {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(Number(name)) }));
  const childrenOf = (pid: number): number[] =>
    processes.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...childrenOf(child.pid)]);
  return [root, ...childrenOf(root)];
}

/** Milliseconds that a process has been on a CPU, by the first field of each thread's schedstat. (utime and stime come in steps of 10 ms.) */
export function cpuTime(pid: number): number {
  const threads = `/proc/${pid}/task`;
  const times = readdirSync(threads).map((thread) => readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" "));
  return times.reduce((sum, [time]) => sum + Number(time) / 1e6, 0);
}

// --- internal ---

/** What would change how a server runs, or whom it tells. */
const clean: NodeJS.ProcessEnv = { NODE_OPTIONS: undefined, NODE_DEBUG: undefined, NOTIFY_SOCKET: undefined };

function running(children: readonly ChildProcess[], port: number, socket?: HeldSocket): RunningServer {
  const exited = Promise.all(children.map((child) => once(child, "exit")));
  const kill = (signal: "SIGTERM" | "SIGKILL"): void => {
    for (const child of children) child.kill(signal);
  };
  const killAll = (): void => kill("SIGTERM");
  process.on("exit", killAll);
  return {
    port,
    cpu: () => children.flatMap(({ pid }) => processTree(pid!)).reduce((sum, pid) => sum + cpuTime(pid), 0),
    async [Symbol.asyncDispose]() {
      process.off("exit", killAll);
      killAll();
      const patience = setTimeout(() => kill("SIGKILL"), 5_000);
      await exited;
      clearTimeout(patience);
      socket?.close();
    },
  };
}

/** Rejects when the server ends; until then it waits. */
async function failure(child: ChildProcess): Promise<never> {
  let printed = "";
  child.stderr!.on("data", (text) => (printed += text));
  const [code, signal] = await once(child, "exit");
  throw new Error(`${child.spawnargs.join(" ")} ended with ${code ?? signal}: ${printed.trim()}`);
}

/** The fourth field of proc_pid_stat(5). Undefined when the process has ended meanwhile. */
function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** Connects until somebody listens and answers; `at` is when the first byte came. */
async function firstAnswer(port: number, patience: AbortSignal): Promise<{ answer: string; at: number }> {
  for (;;) {
    patience.throwIfAborted();
    const found = await askOnce(port, patience);
    if (found) return found;
    await sleep(1);
  }
}

/** Undefined when the connection fails, or ends without an answer. */
async function askOnce(port: number, signal: AbortSignal): Promise<{ answer: string; at: number } | undefined> {
  const socket = connect(port, "127.0.0.1");
  const destroy = () => socket.destroy();
  signal.addEventListener("abort", destroy);
  try {
    await once(socket, "connect");
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let received = "";
    let at = 0;
    for await (const data of socket.setEncoding("latin1")) {
      at ||= performance.now();
      received += data;
    }
    return received === "" ? undefined : { answer: received.slice(received.indexOf("\r\n\r\n") + 4), at };
  } catch {
    return undefined;
  } finally {
    signal.removeEventListener("abort", destroy);
  }
}
