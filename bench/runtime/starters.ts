import { type ChildProcess, spawn } from "node:child_process";
import { type HeldSocket, spawnActivated } from "../../test/helpers/passed-socket.ts";
import { type Command, type Programs, threeNames } from "./programs.ts";

/** One contestant of the start cost: a program that measures itself, prints what it found, and ends. */
export interface Starter {
  readonly name: string;
  /** What `activation.source` must be; undefined where there is no activation. */
  readonly source: string | undefined;
  /** Whether it tells its manager that it is ready. */
  readonly notifies: boolean;
  /** The one that the others are compared with. */
  readonly isBase: boolean;
  start(): ChildProcess;
}

export interface Passable {
  /** Three of them. */
  readonly sockets: readonly HeldSocket[];
  readonly notifySocket: string;
}

export function starters(programs: Programs, { sockets, notifySocket }: Passable): Starter[] {
  const { built, bundled, plain, go } = programs;
  const one = { hello: sockets[0]! };
  const three = Object.fromEntries(threeNames.map((name, index) => [name, sockets[index]!]));

  function activated(name: string, command: Command, passed: Record<string, HeldSocket>, source?: string): Starter {
    const [program, ...args] = command;
    const env = { ...clean, NOTIFY_SOCKET: notifySocket, NAMES: Object.keys(passed).join() };
    const start = () => spawnActivated(program!, args, { sockets: passed, env });
    return { name, source, notifies: true, isBase: false, start };
  }

  function direct(name: string, command: Command, passed: readonly HeldSocket[], env: NodeJS.ProcessEnv): Starter {
    const [program, ...args] = command;
    const stdio = ["ignore" as const, "pipe" as const, "pipe" as const, ...passed.map(({ fd }) => fd)];
    const start = () => spawn(program!, args, { stdio, env: { ...process.env, ...clean, ...env } });
    return { name, source: undefined, notifies: false, isBase: false, start };
  }

  return [
    activated("rouse build, systemd, 1 socket", built.one, one, "systemd"),
    activated("rouse build, systemd, 3 sockets", built.three, three, "systemd"),
    { ...direct("rouse build, bind", built.one, [], {}), source: "bind" },
    activated("rouse by node, systemd, 1 socket", bundled, one, "systemd"),
    { ...direct("plain, listen({ fd: 3 })", plain, sockets.slice(0, 1), { FDS: "3" }), isBase: true },
    direct("plain, 3 sockets", plain, sockets, { FDS: "3,4,5" }),
    ...(go ? [activated("Go, go-systemd, 1 socket", go, one), activated("Go, go-systemd, 3 sockets", go, three)] : []),
  ];
}

// --- internal ---

/** What would change how a program starts, or whom it tells. */
const clean: NodeJS.ProcessEnv = {
  MARKS: "1",
  NODE_OPTIONS: undefined,
  NODE_COMPILE_CACHE: undefined,
  NODE_DEBUG: undefined,
  NOTIFY_SOCKET: undefined,
};
