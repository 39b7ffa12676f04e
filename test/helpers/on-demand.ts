/** Programs that are started with sockets, each in a process of its own, without flags of Node's. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { type HeldSocket, holdSocket, spawnActivated } from "./passed-socket.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OnDemand extends AsyncDisposable {
  readonly port: number;
  readonly ended: Promise<Ended>;
  /** The body of an HTTP answer. */
  get(path: string): Promise<string>;
}

/** Starts a program under systemd-socket-activate, which listens and starts it when the first client comes. Its end stops both. */
export async function serveOnDemand(
  program: string,
  args: readonly string[],
  { name = "http", cwd }: { readonly name?: string; readonly cwd?: string } = {},
): Promise<OnDemand> {
  const spare = holdSocket();
  spare.close();
  const { port } = spare;
  const command = [`--listen=127.0.0.1:${port}`, `--fdname=${name}`, program, ...args];
  const child = spawn("systemd-socket-activate", command, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const ended = endOf(child);
  await new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (data) => String(data).includes("Listening") && resolve());
    ended.then(({ stderr }) => reject(new Error(stderr)));
  });
  return {
    port,
    ended,
    get: async (path) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(20_000) });
      return await answer.text();
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export interface StartOptions {
  /** By LISTEN_FDS; where there are none, nothing is passed. */
  readonly sockets?: Readonly<Record<string, HeldSocket>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a program, which is killed when it has not ended after 20 seconds. */
export function startProgram(
  program: string,
  args: readonly string[],
  { sockets = {}, env }: StartOptions = {},
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child =
    Object.keys(sockets).length > 0
      ? spawnActivated(program, args, { sockets, env: { ...env } })
      : spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const patience = setTimeout(() => child.kill("SIGKILL"), 20_000);
  const ended = endOf(child).finally(() => clearTimeout(patience));
  return { child, ended };
}

// --- internal ---

async function endOf(child: ChildProcess): Promise<Ended> {
  const [[code], stdout, stderr] = await Promise.all([once(child, "close"), text(child.stdout!), text(child.stderr!)]);
  return { code, stdout, stderr };
}
