import { randomBytes } from "node:crypto";
import {
  type Execution,
  executed,
  FIRST_DESCRIPTOR,
  listenVariables,
  remoteVariables,
} from "../../../systemd/pass-sockets.ts";
import type { HandOver } from "../sockets.ts";
import type { ChildRequest } from "./child.ts";

/** A descriptor to hand over under a name. */
export interface Passed {
  readonly name: string;
  readonly fd: number;
}

export interface HandOverRequest {
  readonly as: HandOver;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where the program's standard streams go where no socket takes their place. */
  readonly streams: readonly [stdin: number | "ignore", stdout: number, stderr: number];
  /** Listeners and datagram sockets, or the one connection. */
  readonly passed: readonly Passed[];
  /** Set for a process that is there for one connection. */
  readonly connection?: ConnectionRequest | undefined;
  /** Leaves LISTEN_PID away. */
  readonly withoutPid: boolean;
  /** systemd only: variables of the notify protocol, and whether WATCHDOG_PID is to name the process. */
  readonly notify: Readonly<Record<string, string>>;
  /** The program tells when its first answer goes out, through a pipe that ROUSE_RUN_REPORT names. */
  readonly reports: boolean;
  /** It is to begin only when it is told to, through a pipe that ROUSE_RUN_GATE names. */
  readonly isGated?: boolean;
}

export interface ConnectionRequest {
  readonly peer: { readonly address: string; readonly port?: number } | undefined;
  /** systemd's StandardInput=socket: on 0 and 1 instead of by LISTEN_FDS. */
  readonly onStdin: boolean;
  /** StandardError=socket. */
  readonly stderrToo: boolean;
}

/** How to start a process so that it finds its sockets as the real thing would have put them. */
export function handOver(request: HandOverRequest): ChildRequest {
  const { command, cwd } = request;
  const { stdio, variables, execution } = places(request);
  const env: NodeJS.ProcessEnv = { ...request.env, ...variables };
  if (request.reports) {
    env.ROUSE_RUN_REPORT = String(stdio.length);
    stdio.push("report");
  }
  if (request.isGated) {
    env.ROUSE_RUN_GATE = String(stdio.length);
    stdio.push("gate");
  }
  return { command: execution ? executed(command, execution, env) : command, cwd, env, stdio };
}

/** The descriptor on which a program finds the socket at this place of the list; undefined where none is handed over. */
export function descriptorOf(as: HandOver, index: number, onStdin: boolean): number | undefined {
  if (as === "bind") return undefined;
  return onStdin ? 0 : FIRST_DESCRIPTOR + index;
}

// --- internal ---

interface Places {
  readonly stdio: ChildRequest["stdio"][number][];
  readonly variables: NodeJS.ProcessEnv;
  /** Undefined: it is started by the launcher itself. */
  readonly execution?: Execution;
}

function places(request: HandOverRequest): Places {
  const { as, passed, streams, connection, notify } = request;
  const [fd] = passed.map((one) => one.fd);
  const after = [...streams, ...passed.map((one) => one.fd)];
  if (as === "systemd") {
    const onStdin = connection?.onStdin ?? false;
    const listen = onStdin ? {} : listenVariables(passed.map(({ name }) => name));
    const hasPid = "LISTEN_FDS" in listen && !request.withoutPid;
    const ownPid = [
      "SYSTEMD_EXEC_PID",
      ...(hasPid ? ["LISTEN_PID"] : []),
      ...("WATCHDOG_USEC" in notify ? ["WATCHDOG_PID"] : []),
    ];
    return {
      stdio: onStdin ? [fd!, fd!, connection?.stderrToo ? fd! : streams[2]] : after,
      variables: { ...notify, ...listen, ...remoteVariables(connection?.peer), INVOCATION_ID: invocationId() },
      execution: { ownPid, ignoresSigpipe: true },
    };
  }
  // inetd(8), and launchd.plist(5)'s inetdCompatibility for one connection.
  if (fd !== undefined && (as === "inetd" || (as === "launchd" && connection))) {
    const execution = as === "inetd" ? { execution: { ownPid: [], ignoresSigpipe: false } } : {};
    return { stdio: [fd, fd, fd], variables: {}, ...execution };
  }
  // systemd passes a connection as a listener's descriptor; a plain descriptor says nothing of itself.
  if (as === "fd") return { stdio: after, variables: fd === undefined ? {} : { SERVER_LISTEN_FD: "3" } };
  // launchd: what the stand-in's library knows the descriptors by is written into it.
  return { stdio: as === "launchd" ? after : [...streams], variables: {} };
}

/** Another one for each start, as sd-id128(3) writes it. */
function invocationId(): string {
  return randomBytes(16).toString("hex");
}
