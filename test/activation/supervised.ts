/** Programs with workers for the tests: a script in a file of its own, which a test may change on disk while it runs. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { makeProject } from "../helpers/project.ts";
import { flags, node, type Program, type ProgramOptions, runtime, start } from "./program.ts";

export interface Watched extends Program {
  readonly pid: number;
  /** The children that live now. */
  workers(): readonly number[];
}

export interface Supervised extends Watched {
  readonly folder: string;
  /** Exchanges the script on disk, as an upgrade does. */
  replace(script: string): void;
}

export interface SupervisedOptions extends ProgramOptions {
  readonly args?: readonly string[];
  /** Redirections of a shell, for example "5<&3 3<&-". */
  readonly through?: string;
}

/**
 * Starts a script in which `activate`, `supervise` and the modules fs, http, net and dgram stand ready. What is left of it
 * after the test is killed.
 */
export function startSupervised(
  t: TestContext,
  script: string,
  { args = [], through, ...options }: SupervisedOptions = {},
): Supervised {
  const folder = makeProject(t, {});
  const file = join(folder, "server.mjs");
  const replace = (text: string) => writeFileSync(file, PRELUDE + text);
  replace(script);
  const command = [node, ...flags, file, ...args];
  const program = through
    ? start("/bin/sh", ["-c", `exec "$0" "$@" ${through}`, ...command], { ...options, withoutPid: true })
    : start(command[0]!, command.slice(1), options);
  return { ...watchSupervised(t, program), folder, replace };
}

/** The same for a program that is started in another way. */
export function watchSupervised(t: TestContext, program: Program): Watched {
  const pid = program.child.pid!;
  t.after(async () => {
    const left = childrenOf(pid);
    program.child.kill("SIGKILL");
    for (const worker of left) kill(worker);
    await program.ended;
  });
  return { ...program, pid, workers: () => childrenOf(pid) };
}

/** Answers with its process id and `version`; "/crash" ends it, "/block" never returns, "/slow" takes as many milliseconds as stand behind "?". */
export function server(version: string, workers = 2): string {
  return `
    await supervise({ workers: ${workers} }, async () => {
      const server = http.createServer((request, response) => {
        const [path, time] = request.url.split("?");
        if (path === "/crash") process.exit(7);
        if (path === "/block") for (;;);
        setTimeout(() => response.end(process.pid + " ${version}"), Number(time ?? 0));
      });
      const activation = activate({ fallback: { http: "127.0.0.1:0" } });
      await activation.listen(server, "http");
      console.log("worker", process.pid, activation.source, JSON.stringify(server.address()));
    });`;
}

/** The body of one answer. @throws where there is none */
export async function ask(
  where: number | string | { readonly port: number; readonly host: string },
  path = "/",
  agent?: Agent,
): Promise<string> {
  const onHost = typeof where === "number" ? { port: where, host: "127.0.0.1" } : where;
  const place = typeof onHost === "string" ? { socketPath: onHost } : onHost;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = get({ ...place, path, agent: agent ?? false, timeout: 20_000 }, resolve);
    request.on("timeout", () => request.destroy(new Error("no answer within 20 s")));
    request.on("error", reject);
  });
  return await text(response);
}

export interface Load {
  /** All answers in their order, when all that was asked is answered. */
  stop(): Promise<{ readonly answers: readonly string[]; readonly failures: readonly string[] }>;
}

/** Clients that ask one request after the other: half of them over one connection as long as the server keeps it. */
export function startLoad(t: TestContext, port: number, clients = 8): Load {
  const answers: string[] = [];
  const failures: string[] = [];
  let stopped = false;
  t.after(() => {
    stopped = true;
  });
  const running = Array.from({ length: clients }, async (_, index) => {
    const agent = index % 2 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    while (!stopped) {
      try {
        answers.push(await ask(port, "/", agent));
      } catch (error) {
        failures.push(`${agent ? "keep-alive: " : ""}${(error as Error).message}`);
      }
    }
    agent?.destroy();
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(running);
      return { answers, failures };
    },
  };
}

export function isAlive(pid: number): boolean {
  const status = statusOf(pid);
  // A zombie only waits for its parent.
  return status !== undefined && !/^State:\s+Z/m.test(status);
}

// --- internal ---

const PRELUDE = `import { activate, supervise } from ${JSON.stringify(runtime)};
  import dgram from "node:dgram"; import fs from "node:fs"; import http from "node:http"; import net from "node:net"; `;

function childrenOf(pid: number): number[] {
  const all = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return all.filter((one) => isAlive(one) && statusOf(one)?.includes(`\nPPid:\t${pid}\n`));
}

function statusOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return undefined; // It has ended.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended already.
  }
}
