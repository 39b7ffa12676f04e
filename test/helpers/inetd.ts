/** Real inetds in the foreground, each with one service on a free loopback port and a configuration of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { waitFor } from "../system/wait.ts";

/** By the name of the Debian package, the program that it has. Debian installs only one at a time: see .ci/run. */
export const inetds = { "openbsd-inetd": "inetd", xinetd: "xinetd" } as const;

export interface InetdService {
  readonly type: "stream" | "datagram";
  /** The program gets the service's own socket on descriptor 0, 1 and 2, and inetd waits for its end; else a connection. */
  readonly wait: boolean;
  /** An absolute path; neither it nor an argument has blanks, quotes or percent signs. */
  readonly program: string;
  readonly args?: readonly string[];
}

export interface Inetd {
  readonly port: number;
  /** How the service's processes ended that far, in order: exit codes, or names of signals. */
  readonly exits: readonly (number | string)[];
  /** Resolves when `count` of them have ended. */
  ended(count: number): Promise<void>;
  /** What the inetd itself printed. */
  readonly log: string;
}

/** Starts one that ends with the test, and resolves when it listens. It needs no root; without root everything runs as this user. */
export async function startInetd(t: TestContext, kind: keyof typeof inetds, service: InetdService): Promise<Inetd> {
  const folder = mkdtempSync(join(tmpdir(), "rouse-inetd-"));
  const [configuration, logFile, pidFile] = ["inetd.conf", "log", "pid"].map((name) => join(folder, name)) as Three;
  const port = await freePort(service.type);
  const { describe, args, listening, exits } = kinds[kind];
  writeFileSync(configuration, describe(service, port, logFile));
  // Debian's sbin lacks in a plain user's PATH.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin` };
  const output = openSync(logFile, "a");
  const command = [...untilParentEnds, ...asUnderSystemd, inetds[kind], ...args(configuration, logFile, pidFile)];
  const child = spawn(command[0]!, command.slice(1), { env, stdio: ["ignore", output, output] });
  closeSync(output);
  t.after(async () => {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const inetd: Inetd = {
    port,
    get log() {
      return readFileSync(logFile, "utf8");
    },
    get exits() {
      return exits(inetd.log);
    },
    ended: (count) => until(child, inetd, () => inetd.exits.length >= count),
  };
  await until(child, inetd, () => listening.test(inetd.log));
  return inetd;
}

// --- internal ---

type Three = [string, string, string];

/** Neither an inetd whose test was killed nor services whose inetd has ended may live on. It becomes the program by exec. */
const untilParentEnds = ["/usr/bin/setpriv", "--pdeathsig", "KILL"];

/** Its limits of descriptors: the soft one, which Node has raised for itself. */
const asUnderSystemd = ["/usr/bin/prlimit", "--nofile=1024:4096"];

interface Kind {
  describe(service: InetdService, port: number, logFile: string): string;
  args(configuration: string, logFile: string, pidFile: string): string[];
  /** What it prints. Neither tells in another way that it listens, or how a service ended. */
  readonly listening: RegExp;
  exits(log: string): (number | string)[];
}

const kinds: Readonly<Record<keyof typeof inetds, Kind>> = {
  /** inetd(8) and inetd.conf(5). More than 256 starts in a minute would be taken for a loop. */
  "openbsd-inetd": {
    describe({ type, wait, program, args = [] }, port) {
      const what = type === "stream" ? "stream tcp4" : "dgram udp4";
      const command = [...untilParentEnds, program, ...args];
      const how = `${wait ? "wait" : "nowait"}.10000 ${userInfo().username}`;
      return `127.0.0.1:${port} ${what} ${how} ${[command[0], "setpriv", ...command.slice(1)].join(" ")}\n`;
    },
    args: (configuration) => ["-d", "-i", configuration],
    listening: /^ADD: /m,
    // The status of wait(2), in hexadecimal.
    exits: (log) =>
      [...log.matchAll(/^\d+ reaped, status (\w+)$/gm)].map(([, hex = ""]) => {
        const status = Number.parseInt(hex, 16);
        return status & 0x7f ? `signal ${status & 0x7f}` : status >> 8;
      }),
  },
  /** xinetd(8) and xinetd.conf(5). With -d it would want a terminal. */
  xinetd: {
    describe: ({ type, wait, program, args = [] }, port, logFile) => `service rouse
{
  type            = UNLISTED
  flags           = NOLIBWRAP
  bind            = 127.0.0.1
  port            = ${port}
  socket_type     = ${type === "stream" ? "stream" : "dgram"}
  protocol        = ${type === "stream" ? "tcp" : "udp"}
  wait            = ${wait ? "yes" : "no"}
  cps             = 10000 1
  instances       = UNLIMITED
  user            = ${userInfo().username}
  server          = ${untilParentEnds[0]}
  server_args     = ${[...untilParentEnds.slice(1), program, ...args].join(" ")}
  log_type        = FILE ${logFile}
  log_on_success  = PID EXIT
}
`,
    args: (configuration, logFile, pidFile) => [
      "-dontfork",
      "-filelog",
      logFile,
      "-pidfile",
      pidFile,
      "-f",
      configuration,
    ],
    listening: /Started working: 1 available service/,
    exits: (log) =>
      [...log.matchAll(/EXIT: rouse (status|signal)=(\d+)/g)].map(([, what, number]) =>
        what === "signal" ? `signal ${number}` : Number(number),
      ),
  },
};

async function until(child: ChildProcess, inetd: Inetd, condition: () => boolean): Promise<void> {
  const check = async () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    return condition();
  };
  await waitFor("for what it prints", check, { interval: 10 }).catch((cause) => {
    throw new Error(`${child.spawnargs.at(5)}: ${cause.message}\n${inetd.log}`, { cause });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

async function freePort(type: InetdService["type"]): Promise<number> {
  if (type === "stream") {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await new Promise((closed) => server.close(closed));
    return port;
  }
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise<void>((closed) => socket.close(closed));
  return port;
}
