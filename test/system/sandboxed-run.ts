import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Machine, MachineOptions } from "./machine.ts";
import { waitFor } from "./wait.ts";

const repository = resolve(import.meta.dirname, "../..");
const modules = realpathSync(join(repository, "node_modules"));
/** Of Rouse: node/VERSION/TARGET/node lies in it. */
const cache = resolve(process.execPath, "../../../..");

/** A machine with this checkout in /srv/rouse, and with its Node in the caches of root and of ann. */
export const withRouse: MachineOptions = {
  binds: {
    [repository]: "/srv/rouse",
    ...(modules.startsWith(`${repository}/`) ? {} : { [modules]: modules }),
    [cache]: "/root/.cache/rouse",
  },
};

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** `rouse run --sandbox --json` in a machine. */
export interface SandboxedRun {
  readonly pid: number;
  events(): Promise<Event[]>;
  /** The first event of that name, or that the check finds, after those that were there before `after`. */
  event(name: string, check?: (event: Event) => unknown): Promise<Event>;
  /** What `--json` leaves to stderr: the program's output. */
  output(): Promise<string>;
  /** Once it has ended. */
  code(): Promise<number>;
  kill(signal: string): Promise<void>;
}

/**
 * @param user whose systemd it is; ann's runs already
 * @param shell a variable of the user's shell
 * @param before words before the command line
 */
export async function startSandboxed(
  machine: Machine,
  flags = "",
  { user = "root", folder = "/srv/denied", shell = "", before = "" } = {},
): Promise<SandboxedRun> {
  const place = (await machine.run("mktemp -d /run/test-XXXXXX")).stdout.trim();
  const script = `cd ${place}; ${shell} ${before} /srv/rouse/bin/rouse run --sandbox --json ${flags} ${folder} >events 2>output </dev/null &
    echo $! >pid; wait $!; echo $? >code.new; mv code.new code`;
  await machine.write(`${place}/start`, script);
  await machine.run(`chown ${user}: ${place}`);
  const as = user === "root" ? "" : `runuser --user ${user} -- env HOME=/home/${user} XDG_RUNTIME_DIR=/run/user/1000`;
  await machine.run(`${as} setsid sh ${place}/start >/dev/null 2>&1 &`);
  const read = async (name: string) => (await machine.try(["cat", `${place}/${name}`])).stdout;
  const events = async (): Promise<Event[]> => {
    const lines = (await read("events")).split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Event);
  };
  const pid = await waitFor("rouse run has been started", async () => Number(await read("pid")) || undefined);
  return {
    pid,
    events,
    async event(name, check = () => true) {
      const found = async () => {
        const hasEnded = (await read("code")) !== "";
        const event = (await events()).find((one) => one.event === name && check(one));
        if (!event && hasEnded) throw new Error(`rouse run has ended without the event ${name}`);
        return event;
      };
      try {
        return await waitFor(`the event ${name}`, found, { timeout: 20_000 });
      } catch (cause) {
        const seen = (await events()).map((event) => JSON.stringify(event)).join("\n");
        throw new Error(`${(cause as Error).message}\n${seen}\n${await read("output")}`, { cause });
      }
    },
    output: async () => await read("output"),
    code: async () => Number(await waitFor("rouse run has ended", async () => (await read("code")) || undefined)),
    kill: async (signal) => void (await machine.run(["kill", `-${signal}`, String(pid)])),
  };
}

/** Waits until nothing of any run is left. */
export async function assertNoTraces(machine: Machine): Promise<void> {
  let left: string[] = [];
  const isClean = async (): Promise<boolean> => {
    left = await traces(machine);
    return left.length === 0;
  };
  await waitFor("nothing is left", isClean).catch(() => assert.deepEqual(left, []));
}

/** What a run could leave in a machine: units, their files, files and directories of the service, listeners. */
export async function traces(machine: Machine): Promise<string[]> {
  const { stdout } = await machine.run(`
    systemctl list-units --all --plain --no-legend 'rouse-run*'
    [ ! -e /run/user/1000/systemd/private ] || runuser --user ann -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user list-units --all --plain --no-legend 'rouse-run*'
    find /run /tmp /var/tmp /var/lib /var/cache /var/log /etc /home -name '*rouse-run-*' 2>/dev/null || true
    ss --no-header --listening --tcp 'sport = :8080'`);
  const { stdout: processes } = await machine.try(["pgrep", "--full", "--list-full", "/rouse-run-"]);
  return `${stdout}${processes}`.split("\n").filter((line) => line !== "");
}
