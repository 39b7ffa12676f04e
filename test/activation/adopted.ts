/** Programs that have never heard of us, started with passed sockets and with `--import rouse/adopt`. */
import { once } from "node:events";
import { type Agent, get } from "node:http";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import { type HeldSocket, type HeldSocketOptions, holdSocket } from "../helpers/passed-socket.ts";
import { flags, node, type Program, start } from "./program.ts";

export const adoption: string = new URL("../../src/adopt.ts", import.meta.url).href;

/** Of a program that is started with startAdopted. */
export const SERVER = `const server = http.createServer((request, response) => response.end("adopted"));`;

export interface AdoptedOptions {
  readonly sockets?: Readonly<Record<string, HeldSocket | readonly HeldSocket[]>>;
  /** ROUSE_ADOPT. */
  readonly map?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts an ES module given as text, in which the modules net, http and dgram stand ready. */
export function startAdopted(source: string, options: AdoptedOptions = {}): Program {
  const prelude = `import net from "node:net"; import http from "node:http"; import dgram from "node:dgram"; `;
  return startAdoptedNode(["--input-type=module", "--eval", prelude + source], options);
}

/** Starts Node with these arguments. */
export function startAdoptedNode(args: readonly string[], { sockets, map, env }: AdoptedOptions = {}): Program {
  return start(node, [...flags, "--import", adoption, ...args], {
    ...(sockets && { sockets }),
    env: { ...(map !== undefined && { ROUSE_ADOPT: map }), ...env },
  });
}

const held: HeldSocket[] = [];

/** A socket that is closed after the tests of the file. */
export function hold(options?: HeldSocketOptions): HeldSocket {
  const socket = holdSocket(options);
  held.push(socket);
  return socket;
}

after(() => {
  for (const socket of held) socket.close();
});

/** The body of the answer from a port of this machine, or from a unix socket. */
export async function ask(where: HeldSocket | string | number, agent: Agent | false = false): Promise<string> {
  const place =
    typeof where === "string" ? { socketPath: where } : { port: typeof where === "number" ? where : where.port };
  const [response] = await once(get({ ...place, host: "127.0.0.1", agent }), "response");
  return await text(response);
}

export async function stop(program: Program): Promise<{ code: number | null; stdout: string; stderr: string }> {
  program.child.kill("SIGTERM");
  const { code, stdout, stderr } = await program.ended;
  return { code, stdout, stderr };
}
