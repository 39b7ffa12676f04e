/**
 * `rouse run --sandbox`: a service under the sandbox of the unit that `rouse build` would emit. Here systemd holds the sockets
 * and starts the program; the launcher adapts the units (systemd/desk-units.ts), shows what happens, and names what denied.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Desk } from "../../../systemd/desk-units.ts";
import { tellsManager } from "../../definition/needs-runtime.ts";
import { type Problem, RouseError } from "../../problem.ts";
import type { Service, ServiceSocket } from "../../service.ts";
import type { RunEvent } from "../events.ts";
import type { RunProgram } from "../processes/group.ts";
import type { Session } from "../session.ts";
import type { OpenSocket, WantedSocket } from "../sockets.ts";
import { layOut } from "./sandbox-layout.ts";
import { programFolder } from "./sandbox-program.ts";
import { SandboxSession } from "./sandbox-session.ts";
import { ServiceManager } from "./service-manager.ts";

export interface SandboxRequest {
  readonly service: Service;
  /** Of createSandboxProgram. */
  readonly program: { readonly current: RunProgram };
  readonly wanted: readonly WantedSocket[];
  /** Where those are in truth. They are closed when systemd is about to open its own. */
  readonly sockets: readonly OpenSocket[];
  /** The run's own, absolute. What lies in its folder "credentials" is handed over by systemd. */
  readonly folder: string;
  readonly environmentFile: string | undefined;
  readonly lazy: boolean;
  /** A change starts what has crashed. */
  readonly watch: boolean;
  readonly emit: (event: RunEvent) => void;
  /** What the program writes comes to the launcher. */
  readonly write: (stream: "stdout" | "stderr", chunk: Buffer) => Promise<unknown> | undefined;
  /** The machine, for example "linux-x64". */
  readonly host: string;
  /** The user's own. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Nothing is started yet.
 * @throws {RouseError} no-systemd, and for what such a run cannot do
 */
export async function createSandboxSession(request: SandboxRequest): Promise<Session> {
  const { service, wanted, folder } = request;
  const perConnection = wanted.find(({ accept }) => accept === "connection");
  if (perConnection) throw new RouseError(notPerConnection(perConnection.name));
  const manager = await ServiceManager.reach(request.host, process.getuid?.() ?? -1, request.env);

  const home = join(folder, "sandbox");
  mkdirSync(home, { mode: 0o700 });
  const run = `rouse-run-${service.name}-${randomBytes(4).toString("hex")}`;
  const constant = {
    manager: manager.kind,
    run,
    managers: manager.notifySocket === undefined ? [] : [manager.notifySocket],
    credentials: filesIn(join(folder, "credentials")),
    environmentFile: request.environmentFile === undefined ? undefined : resolve(request.environmentFile),
    output: { stdout: join(home, "stdout"), stderr: join(home, "stderr"), said: join(home, "said") },
    go: join(home, "go"),
  };
  if (Buffer.byteLength(constant.output.stdout) > 107) throw new RouseError(tooLong(folder));

  function desk(): Desk {
    const { command, drains } = request.program.current;
    const layout = layOut(command, { program: programFolder(folder), root: service.root, run, name: service.name });
    return { ...constant, ...layout, notifies: tellsManager(service, drains) };
  }
  return new SandboxSession({ ...request, service: asMapped(request, manager.version), manager, desk });
}

// --- internal ---

/** The definition as this machine's systemd and this run's sockets have it. */
function asMapped({ service, wanted, sockets: opened }: SandboxRequest, version: number): Service {
  const sockets = wanted.map(({ name, backlog, noDelay, freeBind, mode, group, optional }): ServiceSocket => {
    const listen = opened.filter((socket) => socket.name === name).map(({ address }) => address);
    const { adopt, accept, limits } = service.sockets.find((socket) => socket.name === name)!;
    return { name, backlog, noDelay, freeBind, mode, group, optional, adopt, accept, limits, listen };
  });
  return {
    ...service,
    sockets: sockets.filter(({ listen }) => listen.length > 0),
    // An older systemd would leave out in silence what another directive depends on.
    systemd: { minimumVersion: Math.min(service.systemd.minimumVersion, version) },
  };
}

function filesIn(folder: string): ReadonlyMap<string, string> {
  return new Map((existsSync(folder) ? readdirSync(folder) : []).map((name) => [name, join(folder, name)]));
}

function notPerConnection(name: string): Problem {
  return {
    code: "not-yet",
    what: `--sandbox does not do a process per connection yet, as the socket "${name}" has it`,
    where: { key: `sockets.${name}.accept` },
    mend: "run it without --sandbox",
  };
}

function tooLong(folder: string): Problem {
  return {
    code: "path-too-long",
    what: `the run's folder ${folder} is too deep: a unix socket in it would have a path of more than 107 bytes`,
    mend: "set TMPDIR to a shorter path, such as /tmp",
  };
}
