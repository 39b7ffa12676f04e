/** Sockets opened as `rouse run` opens them, in this process or in one without root's rights, and others to be in the way. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, readdirSync, readlinkSync } from "node:fs";
import { platform } from "node:os";
import type { TestContext } from "node:test";
import { parseAddress } from "../../src/activation/address.ts";
import { type Problem, RouseError } from "../../src/problem.ts";
import { openSockets } from "../../src/run/sockets/open-sockets.ts";
import type { OpenSocket, WantedSocket } from "../../src/run/sockets.ts";
import { makeProject } from "../helpers/project.ts";

export interface WantedOptions extends Partial<Omit<WantedSocket, "name" | "listen">> {
  /** Of the definition; else as said on the command line. */
  readonly ofDefinition?: boolean;
}

/** A socket at addresses as people write them. */
export function want(name: string, listen: string | readonly string[], options: WantedOptions = {}): WantedSocket {
  const { ofDefinition = false, ...rest } = options;
  return {
    name,
    listen: [listen].flat().map((text) => ({ address: parseAddress(text), isExplicit: !ofDefinition })),
    backlog: undefined,
    noDelay: false,
    freeBind: undefined,
    mode: undefined,
    group: undefined,
    optional: false,
    accept: undefined,
    limits: { connections: 64, perSource: undefined },
    scheme: undefined,
    ...rest,
  };
}

/** Open until the end of the test. */
export function openHere(
  t: TestContext,
  wanted: readonly WantedSocket[],
  folder: string = makeProject(t, {}),
): { readonly sockets: readonly OpenSocket[]; readonly problems: readonly Problem[] } {
  const result = openSockets(wanted, { folder, platform: platform() });
  t.after(() => {
    for (const socket of result.sockets) socket.close();
  });
  return result;
}

/** What keeps these from being opened. */
export function failHere(t: TestContext, wanted: readonly WantedSocket[], folder?: string): readonly Problem[] {
  try {
    openHere(t, wanted, folder);
  } catch (error) {
    if (error instanceof RouseError) return error.problems;
    throw error;
  }
  assert.fail("they were opened");
}

export interface Told {
  readonly sockets: readonly Omit<OpenSocket, "close">[];
  readonly problems: readonly Problem[];
  /** What was thrown. */
  readonly failed: readonly Problem[];
}

/**
 * Opens them in a process of its own, as nobody where the test is run by root, and closes them again.
 * @param before a command that starts it, for example unshare(1); it then keeps its rights
 */
export function openAsNobody(
  t: TestContext,
  wanted: readonly WantedSocket[],
  { folder = makeProject(t, {}), before = [] }: { readonly folder?: string; readonly before?: readonly string[] } = {},
): Told {
  if (isRoot && before.length === 0) chownSync(folder, NOBODY, NOBODY);
  const modules = ["../../src/run/sockets/open-sockets.ts", "../../src/problem.ts"].map((path) =>
    import.meta.resolve(path),
  );
  const program = `import { openSockets } from ${JSON.stringify(modules[0])};
    import { RouseError } from ${JSON.stringify(modules[1])};
    if (process.getuid() === 0 && ${before.length === 0}) {
      process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});
    }
    let told;
    try {
      told = openSockets(${JSON.stringify(wanted)}, { folder: ${JSON.stringify(folder)}, platform: process.platform });
    } catch (error) {
      if (!(error instanceof RouseError)) throw error;
      told = { sockets: [], problems: [], failed: error.problems };
    }
    console.log(JSON.stringify({ failed: [], ...told }));
    for (const socket of told.sockets) socket.close();`;
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", program];
  const [command = process.execPath, ...args] = [...before, process.execPath, ...flags];
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Told;
}

/** A program of Node's own modules, killed with the test; resolves when it has printed a line, with that. */
export async function startOther(
  t: TestContext,
  source: string,
  { fds = [] }: { readonly fds?: readonly number[] } = {},
): Promise<{ readonly child: ChildProcess; readonly pid: number; readonly line: string }> {
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit", ...fds] });
  t.after(() => child.kill("SIGKILL"));
  const [line] = await once((child.stdout as NodeJS.ReadableStream).setEncoding("utf8"), "data");
  return { child, pid: child.pid!, line: String(line).trim() };
}

/** Serves HTTP on descriptor 3. */
export const SERVE =
  'require("http").createServer((_, answer) => answer.end("served")).listen({ fd: 3 }, () => console.log("listening"))';

export const isRoot: boolean = process.getuid!() === 0;
export const NOBODY = 65534;

/** The sockets that this process has, by their inodes. */
export function openDescriptors(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith("socket:") ? [target] : [];
    } catch {
      return []; // That of the reading itself.
    }
  });
}

export function portOf({ address }: Pick<OpenSocket, "address">): number {
  assert.ok(address.type !== "unix");
  return address.port;
}

export function pathOf({ address }: Pick<OpenSocket, "address">): string {
  assert.ok(address.type === "unix");
  return address.path;
}
