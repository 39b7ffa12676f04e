import { type ChildProcess, spawn } from "node:child_process";
import { type HeldSocket, spawnActivated } from "../../test/helpers/passed-socket.ts";
import type { Command } from "../common/build.ts";
import { type Programs, threeNames } from "./programs.ts";

/** One contestant of the start cost: a program that measures itself, prints what it found, and ends. */
export interface Starter {
  readonly name: string;
  /** What `activation.source` must be; undefined where there is no activation. */
  readonly source: string | undefined;
  /** Whether it tells its manager that it is ready. */
  readonly notifies: boolean;
  /** The aim for activate, in milliseconds. */
  readonly most?: number;
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
  const { built, bundled, plain, go, launchd } = programs;
  const one = { hello: sockets[0]! };
  const three = Object.fromEntries(threeNames.map((name, index) => [name, sockets[index]!]));

  /** By systemd's protocol. */
  function activated(name: string, command: Command, passed: Record<string, HeldSocket>, source?: string): Starter {
    const [program, ...args] = command;
    const env = { ...clean, NOTIFY_SOCKET: notifySocket, NAMES: Object.keys(passed).join() };
    const start = () => spawnActivated(program!, args, { sockets: passed, env });
    return { name, source, notifies: true, isBase: false, start };
  }

  /** With these as descriptors 3 and on, and perhaps one as descriptor 0. */
  function direct(
    name: string,
    command: Command,
    passed: readonly HeldSocket[],
    { env = {}, stdin, source }: { env?: NodeJS.ProcessEnv; stdin?: HeldSocket; source?: string },
  ): Starter {
    const [program, ...args] = command;
    const stdio = [stdin?.fd ?? ("ignore" as const), "pipe" as const, "pipe" as const, ...passed.map(({ fd }) => fd)];
    const start = () => spawn(program!, args, { stdio, env: { ...process.env, ...clean, ...env } });
    return { name, source, notifies: false, isBase: false, start };
  }

  function fromLaunchd(name: string, command: Command, passed: Record<string, HeldSocket>): Starter {
    const names = Object.keys(passed);
    const job = names.map((each, index) => `${each}=${3 + index}`).join(";");
    const standIn = { XPC_SERVICE_NAME: "com.example.bench", LD_PRELOAD: launchd, LAUNCHD_STAND_IN: job };
    return direct(name, command, Object.values(passed), {
      env: { ...standIn, NAMES: names.join() },
      source: "launchd",
    });
  }

  return [
    { ...activated("systemd, 1 socket", built.one, one, "systemd"), most: 1 },
    { ...activated("systemd, 3 sockets", built.three, three, "systemd"), most: 1 },
    ...(launchd
      ? [
          { ...fromLaunchd("launchd, 1 socket", built.one, one), most: 3 },
          { ...fromLaunchd("launchd, 3 sockets", built.three, three), most: 3 },
        ]
      : []),
    direct("inetd", built.one, [], { stdin: sockets[0]!, source: "inetd" }),
    direct("fd: 3", built.one, [sockets[0]!], { env: { FD: "3" }, source: "fd" }),
    direct("bind", built.one, [], { source: "bind" }),
    activated("systemd, 1 socket, by node", bundled, one, "systemd"),
    { ...direct("plain, listen({ fd: 3 })", plain, [sockets[0]!], { env: { FDS: "3" } }), isBase: true },
    direct("plain, 3 sockets", plain, sockets, { env: { FDS: "3,4,5" } }),
    direct("plain, listen({ port, host })", plain, [], {}),
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
  XPC_SERVICE_NAME: undefined,
};
