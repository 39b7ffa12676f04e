import { basename } from "node:path";
import { formatAddress } from "../activation/address.ts";
import type { ExitedEvent, RunEvent, ShownSocket } from "../run/events.ts";
import { createPatientOutput } from "./patient-output.ts";
import { color, describeProblem, printable, table } from "./print.ts";

export interface RunView {
  show(event: RunEvent): void;
  /** Nothing more will come. Resolves when everything is told. @param patience milliseconds after which nobody reads it any more */
  end(patience: number): Promise<void>;
}

/**
 * What happens in a run, on stderr for a person, or with `json` on stdout, one document a line. Where stderr is no terminal a
 * person reads only what is wrong, unless `verbose` is set.
 */
export function createRunView(flags: { json?: boolean; quiet?: boolean; verbose?: boolean }): RunView {
  const output = createPatientOutput(flags.json ? process.stdout : process.stderr);
  const view = flags.json ? jsonView(output.write) : personView(output.write, flags);
  return {
    show: view.show,
    async end(patience) {
      view.end();
      await output.drained(patience);
    },
  };
}

// --- internal ---

interface View {
  show(event: RunEvent): void;
  end(): void;
}

function jsonView(write: (text: string) => void): View {
  return { show: (event) => write(`${JSON.stringify(event)}\n`), end() {} };
}

function personView(write: (text: string) => void, flags: { quiet?: boolean; verbose?: boolean }): View {
  const { verbose = false } = flags;
  const talks = verbose || (!flags.quiet && process.stderr.isTTY);
  const say = (text: string): void => {
    if (talks) write(`${color("dim", "rouse:")} ${printable(text.slice(0, MOST))}\n`);
  };
  /** A restart is one line, put together from what is told of it. */
  let restart: { parts: string[]; timer?: NodeJS.Timeout } | undefined;
  let restarts = 0;
  /** Of the processes that were started by a change: their first answers are nothing to remark. */
  const restarted = new Set<number>();
  let wasTold = false;

  function endRestart(): void {
    clearTimeout(restart?.timer);
    if (restart) say(restart.parts.join(", "));
    restart = undefined;
  }

  function tell(text: string): void {
    endRestart();
    say(text);
  }

  function show(event: RunEvent): void {
    switch (event.event) {
      case "listening":
        if (talks) write(socketTable(event.as, event.sockets));
        return;
      case "changed":
        endRestart();
        restart = { parts: [`${names(event.files)} changed`] };
        return;
      case "built":
        for (const warning of event.warnings) write(`rouse: warning: ${printable(warning)}\n`);
        if (restart) restart.parts.push(`built in ${time(event.ms)}`);
        else if (verbose) say(`built in ${time(event.ms)}`);
        return;
      case "build-failed":
        endRestart();
        for (const problem of event.problems) write(describeProblem(problem));
        if (event.keepsServing) say("the process before goes on serving");
        return;
      case "started":
        if (restart && event.cause === "change") {
          restarts += 1;
          restarted.add(event.pid);
          restart.parts.unshift(`restart ${restarts}`);
          restart.parts.push(`pid ${event.pid}`);
          // Not every program says that it is ready.
          restart.timer = setTimeout(endRestart, 1000);
          restart.timer.unref();
        } else tell(`pid ${event.pid} started${causes[event.cause]}${event.socket ? ` on "${event.socket}"` : ""}`);
        return;
      case "ready":
        if (restart) {
          restart.parts.push(`ready after ${time(event.ms)}`);
          endRestart();
        } else say(`pid ${event.pid} is ready after ${time(event.ms)}`);
        return;
      case "first-byte":
        if (verbose || !restarted.has(event.pid)) tell(`first answer ${time(event.ms)} after the connection`);
        return;
      case "stopping":
        if (verbose) tell(`pid ${event.pid} is stopping`);
        return;
      case "exited":
        // What we have passed on is no failure.
        if (isFailure(event) && !event.wasAsked) {
          endRestart();
          write(`${color("red", "rouse:")} ${describeExit(event)}\n`);
        } else if (verbose || (event.socket === undefined && !restart)) tell(describeExit(event));
        return;
      case "waiting":
        if (event.for === "retry") tell(`the next try comes in ${time(event.ms!)}`);
        else tell(event.for === "change" ? "waits for a change; connections wait too" : waitsForConnection(wasTold));
        wasTold = true;
        return;
      case "signal":
        if (event.pids.length > 0 && ENDING.has(event.signal)) tell(`${event.signal} passed on; once more kills`);
        return;
      case "warning":
        endRestart();
        write(describeProblem(event.problem, "warning"));
        return;
      default: {
        const text = describeOther(event);
        if (text) tell(text);
      }
    }
  }

  return { show, end: endRestart };
}

/** Characters. What a program says of itself is its own to choose. */
const MOST = 1000;

const ENDING: ReadonlySet<string> = new Set(["SIGINT", "SIGTERM", "SIGQUIT"]);
const causes = { start: "", connection: " by a connection", change: " by a change" } as const;

const isFailure = ({ code, isIgnored }: ExitedEvent): boolean => code !== 0 && !isIgnored;

function waitsForConnection(again: boolean): string {
  return again ? "waits for the next connection" : "waits for a connection";
}

function describeOther(
  event: Exclude<RunEvent, { readonly event: "listening" | "changed" | "built" | "started" | "exited" | "waiting" }>,
): string | undefined {
  switch (event.event) {
    case "status":
      return `pid ${event.pid}: ${event.text}`;
    case "reloading":
      return `pid ${event.pid} reloads`;
    case "reloaded":
      return `pid ${event.pid} has reloaded in ${time(event.ms)}`;
    case "watchdog":
      return event.kept
        ? `pid ${event.pid} keeps its watchdog: a sign of life after ${time(event.ms)}`
        : `pid ${event.pid} has missed its watchdog: no sign of life for ${time(event.ms)}; systemd would kill it now`;
    case "stored":
      return `pid ${event.pid} has ${event.count} descriptors stored, the last as "${event.name}"`;
    case "accepted":
      return `"${event.socket}" from ${event.peer}: pid ${event.pid}`;
    case "refused":
      return `"${event.socket}" from ${event.peer} refused: there are ${event.limit}`;
    default:
      return undefined;
  }
}

function describeExit({ pid, code, signal, ms }: ExitedEvent): string {
  const how = signal ? `was ended by ${signal}` : code === 0 ? "has ended" : `has ended with exit code ${code}`;
  return `pid ${pid} ${how}, ${time(ms)} after its start`;
}

function socketTable(as: string, sockets: readonly ShownSocket[]): string {
  const title = `${color("dim", "rouse:")} as ${as}`;
  if (as === "bind") return `${title}: the program opens its sockets itself\n`;
  if (sockets.length === 0) return `${title}: no sockets\n`;
  const rows = sockets.map(({ name, url, descriptor, accept, insteadOf }) => [
    name,
    printable(url),
    `${descriptor ?? ""}`,
    [insteadOf && `instead of ${printable(formatAddress(insteadOf))}`, accept && "a process per connection"]
      .filter(Boolean)
      .join(", "),
  ]);
  return `${title}\n${table(["socket", "address", "fd", ""], rows, { stream: process.stderr })}`;
}

function names(files: readonly string[]): string {
  const [first = "", ...others] = files.map((file) => basename(file));
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function time(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
