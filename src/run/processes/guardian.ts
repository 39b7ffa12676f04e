import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { errorOf, startProblem } from "./child.ts";

/** A process beside the launcher that cleans up after it where it cannot: guardian.sh. */
export interface Guardian {
  /** A process that leads a session of its own lives; `ended` when it does no more. */
  started(pid: number): void;
  ended(pid: number): void;
  /** To be removed. */
  socket(path: string): void;
  folder(path: string): void;
  /** There is nothing left to clean up. */
  close(): void;
}

/** @throws {RouseError} not-started */
export async function startGuardian(): Promise<Guardian> {
  const script = fileURLToPath(new URL("./guardian.sh", import.meta.url));
  // In a session of its own: a Ctrl-C in the terminal is not meant for it.
  const child = spawn("/bin/sh", [script], { cwd: "/", detached: true, stdio: ["pipe", "ignore", "ignore"] });
  if (child.pid === undefined) throw startProblem(await errorOf(child), { command: ["/bin/sh"], cwd: "/" });
  child.unref();
  const pipe = child.stdin as typeof child.stdin & { unref(): void };
  pipe.unref();
  pipe.on("error", () => {}); // Somebody has ended it; nobody guards then.
  const tell = (what: string, value: string | number): void => {
    // It would be two lines, and something else would be removed.
    if (!String(value).includes("\n")) pipe.write(`${what} ${value}\n`);
  };
  return {
    started: (pid) => tell("started", pid),
    ended: (pid) => tell("ended", pid),
    socket: (path) => tell("socket", path),
    folder: (path) => tell("folder", path),
    close: () => void pipe.end("done\n"),
  };
}
