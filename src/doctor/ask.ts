import { spawn } from "node:child_process";
import type { Host } from "./host.ts";

export interface Answer {
  /** The beginning of what it printed, on stdout and stderr together. */
  readonly text: string;
  /** Why it is no answer: how it failed, in words that follow the program's name. */
  readonly failure: string | undefined;
}

/** Starts a program and hears what it prints, for as long as the host has patience: then it is killed, with all that it has started. */
export async function ask(program: string, args: readonly string[], host: Host): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let text = "";
  // In a group of its own, to be killed as one: a script's child would hold the pipes open for ever.
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...host.env, LC_ALL: "C", SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "" },
  });
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended, and nobody is left.
    }
  };
  const end = (failure?: string): void => resolve({ text, failure });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length < longest) text += chunk.slice(0, longest);
    });
  }
  child.once("error", (error: NodeJS.ErrnoException) => end(`does not start: ${error.code}`));
  child.once("close", (code, signal) => {
    if (code === 0) end();
    else end(code === null ? `was ended by ${signal}` : `failed with exit code ${code}`);
  });
  const timer = setTimeout(() => end(`did not answer within ${host.patience / 1000} s`), host.patience);
  process.once("exit", kill);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    process.off("exit", kill);
    kill();
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}

// --- internal ---

const longest = 10_000;
