/** `rouse run` as a child of a test, read by its `--json` events. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { formatAddress } from "../../src/activation/address.ts";
import type { RunEvent, ShownSocket } from "../../src/run/events.ts";
import { root } from "./rouse.ts";

export interface Run {
  readonly child: ChildProcess;
  /** All that have come until now. */
  readonly events: readonly RunEvent[];
  /** What has come on stderr until now: the program's stdout and stderr, mostly. */
  readonly stderr: string;
  /** The first event of that kind that the check accepts, be it past or to come. Rejects when the run ends without it. */
  event<K extends RunEvent["event"]>(kind: K, check?: (event: EventOf<K>) => boolean): Promise<EventOf<K>>;
  /** By name, once the sockets are open. */
  socket(name: string): Promise<ShownSocket>;
  /** Of a TCP or UDP socket. */
  port(name: string): Promise<number>;
  /** Resolves when stderr has something that fits. */
  printed(text: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<RunEnd>;
  /** Sends SIGTERM and waits. */
  stop(): Promise<RunEnd>;
}

export interface RunEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type EventOf<K extends RunEvent["event"]> = Extract<RunEvent, { readonly event: K }>;

/** Starts `rouse run --json ARGS` in the foreground; it is ended with the test. */
export function startRun(t: TestContext, args: readonly string[], options: RunOptions = {}): Run {
  const run = spawnRun(args, options);
  t.after(async () => {
    const patience = setTimeout(() => {
      run.child.kill("SIGKILL");
      // Whoever outlives the launcher may still hold its end of them.
      for (const stream of [run.child.stdout, run.child.stderr]) stream?.destroy();
    }, 10_000);
    await run.stop();
    clearTimeout(patience);
  });
  return run;
}

export interface RunOptions {
  /** Default: that of the checkout. */
  readonly rouse?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** In a process group of its own, which a test may signal as a terminal does. */
  readonly detached?: boolean;
}

/** The same, to be ended by whoever asked for it. */
export function spawnRun(
  args: readonly string[],
  { rouse = join(root, "bin/rouse"), cwd = root, env, detached = false }: RunOptions = {},
): Run {
  const child = spawn(rouse, ["run", "--json", ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached,
  });
  const events: RunEvent[] = [];
  let stderr = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    events.push(JSON.parse(line) as RunEvent);
    child.emit("news");
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    child.emit("news");
  });
  const ended = once(child, "close").then(([code, signal]): RunEnd => ({ code, signal }));

  /** Looks again whenever something has come. */
  async function until<T>(what: string, look: () => T | undefined): Promise<T> {
    const over = ended.then((end) => ({ end }));
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const news = await Promise.race([once(child, "news"), over]);
      if ("end" in news && look() === undefined) throw new Error(`${what}: it has ended (${story(news.end)})`);
    }
  }

  const story = (end: RunEnd): string =>
    `${JSON.stringify(end)}\n${events.map((e) => JSON.stringify(e)).join("\n")}\n${stderr}`;

  async function event<K extends RunEvent["event"]>(kind: K, check: (event: EventOf<K>) => boolean = () => true) {
    const fits = (each: RunEvent): each is EventOf<K> => each.event === kind && check(each as EventOf<K>);
    return await until(`no event "${kind}"`, () => events.find(fits));
  }

  async function socket(name: string): Promise<ShownSocket> {
    const { sockets } = await event("listening");
    const found = sockets.find((each) => each.name === name);
    if (!found) throw new Error(`no socket "${name}" among ${sockets.map((each) => formatAddress(each.address))}`);
    return found;
  }

  return {
    child,
    events,
    get stderr() {
      return stderr;
    },
    event,
    socket,
    async port(name) {
      const { address } = await socket(name);
      if (address.type === "unix") throw new Error(`${name} listens on ${address.path}`);
      return address.port;
    },
    printed: async (text) => await until(`nothing like ${text}`, () => text.exec(stderr) ?? undefined),
    ended,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      return await ended;
    },
  };
}
