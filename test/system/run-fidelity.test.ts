/** `rouse run` hands over what systemd hands over: the same program under both, field by field. */
import assert from "node:assert/strict";
import { copyFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readServiceToRun } from "../../src/definition.ts";
import { emitUnits } from "../../systemd/manifests.ts";
import { unitText } from "../../systemd/unit.ts";
import {
  askHanded,
  assertSame,
  compileHanded,
  type Handed,
  lateStory,
  type Runner,
  type Say,
  type Talk,
  talkTo,
} from "../helpers/handed.ts";
import { makeProject } from "../helpers/project.ts";
import { type Run, startRun } from "../helpers/run.ts";
import { type LongRunning, startLongRunning } from "./long-running.ts";
import type { Machine } from "./machine.ts";
import { writeUnits } from "./probe.ts";
import { systemTest } from "./require.ts";
import { defaultSuite } from "./root.ts";
import { step } from "./step.ts";

const installed = "/usr/lib/fidelity";

systemTest("fidelity: a definition, under its own units and under `rouse run`", async (machine, t) => {
  const programs = await install(machine, t);
  const folder = project(t, programs.handed, {
    args: ["--root", "a b"],
    sockets: {
      web: { listen: [8001, "127.0.0.1:8002"], backlog: 7, noDelay: true },
      stats: "udp:8003",
      local: "udp:127.0.0.1:8005",
      admin: "unix:/run/fidelity.sock",
      plain: "127.0.0.1:8004",
    },
    directories: { state: true, cache: true, logs: true, configuration: true },
    credentials: { "tls.key": "/etc/fidelity.key" },
    environment: { FIDELITY: "definition", FIDELITY_FILE: "definition" },
    watchdog: "30s",
  });
  const { service } = await readServiceToRun(folder, { host: `${process.platform}-${process.arch}` });
  const units = emitUnits(service, { path: `${installed}/handed`, notifies: true });
  await machine.write("/etc/fidelity.key", "secret");
  await machine.write("/etc/default/fidelity", "FIDELITY_FILE=file\n");
  await startUnits(machine, Object.fromEntries(units.map((unit) => [unit.name, unitText(unit)])));
  const real = await askHanded(`${installed}/talk`, "tcp:127.0.0.1:8001", inside(machine));

  const files = ["--credential", `tls.key=${folder}/key`, "--environment-file", join(folder, "environment")];
  const ports = [
    "-s",
    "web=[::]:0",
    "-s",
    "web=127.0.0.1:0",
    ..."stats local plain".split(" ").flatMap((name) => ["--port", `${name}=0`]),
  ];
  const run = startRun(t, [folder, ...files, ...ports]);
  const desk = await askHanded(programs.talk, `tcp:127.0.0.1:${await run.port("web")}`);
  const freeBind = "only where the machine lacks the address, with a warning: nothing would tell of a typo";
  assertSame(real, desk, {
    ...always,
    ...besides,
    ...(isNew && { "environment.FDSTORE": "not known to systemd 252" }),
    umask: "the user's: the unit's is its sandbox's",
    "descriptors.web#1.freebind": freeBind,
    "descriptors.web#2.freebind": freeBind,
    "descriptors.plain#1.freebind": freeBind,
    "descriptors.local#1.freebind": freeBind,
    ...own("environment.STATE_DIRECTORY", "environment.CACHE_DIRECTORY", "environment.LOGS_DIRECTORY"),
    ...own("environment.CONFIGURATION_DIRECTORY", "environment.CREDENTIALS_DIRECTORY"),
  });
});

systemTest("fidelity: one process per connection, and a program without a definition", async (machine, t) => {
  const programs = await install(machine, t);
  const exec = `ExecStart=${installed}/handed`;
  await startUnits(machine, {
    "passed.socket": "[Socket]\nListenStream=71\nAccept=yes\nNoDelay=yes",
    "passed@.service": `[Service]\n${exec}`,
    "stdin.socket": "[Socket]\nListenStream=72\nAccept=yes",
    "stdin@.service": `[Service]\n${exec}\nStandardInput=socket\nStandardError=journal`,
    "stderr.socket": "[Socket]\nListenStream=73\nAccept=yes",
    "stderr@.service": `[Service]\n${exec}\nStandardInput=socket\nStandardError=socket`,
    "plain.socket": "[Socket]\nListenStream=74\nListenStream=127.0.0.1:75\nFileDescriptorName=plain",
    "plain.service": `[Service]\nType=notify\n${exec}`,
  });
  const connections = [
    ["passed", 71, {}],
    ["stdin", 72, { stdin: "socket" }],
    ["stderr", 73, { stdin: "socket", stderr: "socket" }],
  ] as const;
  for (const [name, number, connection] of connections) {
    step(name);
    const sockets = { [name]: { listen: number, accept: "connection", noDelay: name === "passed" } };
    const run = startRun(t, [project(t, programs.handed, { sockets, connection }), "-s", `${name}=[::]:0`]);
    const port = await run.port(name);
    for (const host of ["127.0.0.1", "::1"]) {
      const real = await askHanded(`${installed}/talk`, `tcp:${host}:${number}`, inside(machine));
      const desk = await askHanded(programs.talk, `tcp:${host}:${port}`);
      assert.equal(real.environment.REMOTE_ADDR, host);
      assertSame(real, desk, {
        ...always,
        ...(name !== "stderr" && besides),
        ...mayNotify,
        "environment.REMOTE_PORT": "the client's, any",
      });
    }
  }
  step("plain");
  const run = startRun(t, ["-s", "plain=[::]:0", "-s", "plain=127.0.0.1:0", "--", programs.handed]);
  const real = await askHanded(`${installed}/talk`, "tcp:127.0.0.1:75", inside(machine));
  const desk = await askHanded(programs.talk, `tcp:127.0.0.1:${await run.port("plain")}`);
  assertSame(real, desk, { ...always, ...besides, ...own() });
});

systemTest("fidelity: the descriptor store, over restarts, a crash and an end", async (machine, t) => {
  const programs = await install(machine, t);
  await startUnits(machine, {
    "keeper.socket": "[Socket]\nListenStream=80\nFileDescriptorName=web\nTriggerLimitIntervalSec=0",
    "keeper.service": `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart=${installed}/handed
      FileDescriptorStoreMax=64\nRestart=on-failure\nRestartSec=0`,
  });
  const real = await storeStory(
    (command) => talkTo(`${installed}/talk`, ["tcp:127.0.0.1:80", command], inside(machine)),
    async () => void (await machine.run("systemctl restart keeper.service")),
  );

  const folder = project(t, programs.handed, { sockets: { web: 80 } });
  const run = startRun(t, [folder, "--lazy", "--watch", "--port", "web=0"]);
  const port = await run.port("web");
  const desk = await storeStory(
    (command) => talkTo(programs.talk, [`tcp:127.0.0.1:${port}`, command]),
    () => restartByChange(run, join(folder, "handed")),
  );
  assert.deepEqual(desk, real);
  assert.deepEqual(real[0], ["web", "stored", "other", "third", "stored", "b", "a"]);
});

systemTest("fidelity: clients over the limits, and those that have a name", async (machine, t) => {
  const programs = await install(machine, t);
  const exec = `[Service]\nExecStart=${installed}/handed`;
  await startUnits(machine, {
    "two.socket": "[Socket]\nListenStream=70\nAccept=yes\nMaxConnections=2",
    "two@.service": exec,
    "each.socket": "[Socket]\nListenStream=71\nAccept=yes\nMaxConnectionsPerSource=1",
    "each@.service": exec,
    "local.socket": "[Socket]\nListenStream=/run/local.sock\nAccept=yes",
    "local@.service": exec,
  });
  const sockets = {
    two: { listen: 70, accept: "connection", limits: { connections: 2 } },
    each: { listen: 71, accept: "connection", limits: { perSource: 1 } },
    local: { listen: "unix:/run/local.sock", accept: "connection" },
  };
  const run = startRun(t, [project(t, programs.handed, { sockets }), "-s", "two=[::]:0", "-s", "each=[::]:0"]);
  const [two, each] = [await run.port("two"), await run.port("each")];
  const { talk } = programs;
  const real = await limitStory(70, 71, (words) => machine.spawn([talk, ...words]));
  const desk = await limitStory(two, each, (words) => startLongRunning([talk, ...words]));
  assert.deepEqual(desk, real);
  assert.deepEqual(real, { third: "FIN", second: "FIN", mapped: "FIN", other: "" });

  step("names");
  const { address } = await run.socket("local");
  assert.ok(address.type === "unix");
  const names = ["@client x", join(project(t, talk, {}), "client.sock")];
  for (const name of names) {
    // In the machine, that folder is not there.
    const inMachine = name.replace(/^\/.*\//, "/run/");
    const words = await talkTo(
      `${installed}/talk`,
      ["--from", inMachine, "/run/local.sock", "report"],
      inside(machine),
    );
    const there = (JSON.parse(words.answer) as Handed).environment.REMOTE_ADDR;
    assert.equal(there, isNew ? inMachine : undefined, "systemd 252 does not tell");
    const { answer } = await talkTo(talk, ["--from", name, address.path, "report"]);
    assert.equal((JSON.parse(answer) as Handed).environment.REMOTE_ADDR, name);
  }
});

systemTest("fidelity: a service that asks for more time to end, and what one leaves behind", async (machine, t) => {
  await install(machine, t);
  await startUnits(machine, {
    "late.socket": "[Socket]\nListenStream=80\nTriggerLimitIntervalSec=0",
    "late.service": `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart=${installed}/handed
      TimeoutStopSec=1\nKillMode=mixed`,
  });
  const say: Say = (command) => talkTo(`${installed}/talk`, ["tcp:127.0.0.1:80", command], inside(machine));
  for (const command of ["leave", "leave-3"]) {
    const pid = (await say(command)).answer.trim();
    await say("exit 0");
    await machine.waitFor("it is killed", async () => (await machine.try(`kill -0 ${pid}`)).code !== 0);
  }
  const stop = () => machine.run("systemctl stop --no-block late.service");
  const code = async () => await machine.show("late.service", "ExecMainStatus");
  await say("ignore");
  await stop();
  await machine.waitFor("it is killed", async () => (await code()) === "9");
  await lateStory(say, stop);
  await machine.waitFor("it has ended", async () => (await code()) === "7");
});

systemTest("fidelity: a client with a link-local address", async (machine, t) => {
  const programs = await install(machine, t);
  await startUnits(machine, {
    "q.socket": "[Socket]\nListenStream=70\nAccept=yes",
    "q@.service": `[Service]\nExecStart=${installed}/handed`,
  });
  await machine.run("ip addr add fe80::1/64 dev lo nodad");
  const rouse = join(import.meta.dirname, "../../bin/rouse");
  machine.spawn([rouse, "run", "--accept", "--socket", "q=[::]:71", "--", programs.handed]);
  await machine.waitFor("it listens", async () => await machine.listens(71));
  for (const port of [70, 71]) {
    const { environment } = await askHanded(`${installed}/talk`, `tcp:fe80::1%lo:${port}`, inside(machine));
    assert.equal(environment.REMOTE_ADDR, "fe80::1%lo");
  }
});

// --- internal ---

const isNew = defaultSuite !== "bookworm";
/** systemd's alone, since version 254. */
const ofNew = isNew
  ? { "environment.MEMORY_PRESSURE_WATCH": "of a cgroup", "environment.MEMORY_PRESSURE_WRITE": "" }
  : {};

/** What differs on purpose, whatever the unit. */
const always = {
  ...ofNew,
  name: "where it is installed",
  folder: "the definition's: files beside the sources are to be found",
};

/** Where stderr is not the client's. */
const besides = { "environment.JOURNAL_STREAM": "the streams are the user's, no journal" };

const mayNotify = { "environment.NOTIFY_SOCKET": "a unit of Type=notify has it, and what the program is is not known" };

const own = (...fields: string[]): Record<string, string> =>
  Object.fromEntries([...fields, "environment.NOTIFY_SOCKET"].map((field) => [field, "of this run"]));

const inside =
  (machine: Machine): Runner =>
  async (argv) =>
    (await machine.run(argv)).stdout;

async function install(machine: Machine, t: TestContext): Promise<{ handed: string; talk: string }> {
  const programs = compileHanded(t);
  for (const [name, path] of Object.entries(programs)) await machine.copyIn(path, `${installed}/${name}`);
  return programs;
}

async function startUnits(machine: Machine, units: Readonly<Record<string, string>>): Promise<void> {
  await writeUnits(machine, units);
  await machine.run(["systemctl", "start", ...Object.keys(units).filter((name) => name.endsWith(".socket"))]);
}

function project(t: TestContext, program: string, definition: object): string {
  const folder = makeProject(t, {
    "package.json": {
      name: "fidelity",
      version: "1.0.0",
      description: "F",
      license: "MIT",
      author: "A <a@example.com>",
    },
    "rouse.config.json": { exec: "handed", ...definition },
    key: "secret",
    environment: "FIDELITY_FILE=file\n",
  });
  copyFileSync(program, join(folder, "handed"));
  return folder;
}

/** The names that each process finds. */
async function storeStory(say: Say, restart: () => Promise<void>): Promise<string[][]> {
  const names: string[][] = [];
  const look = async () => {
    const { environment } = JSON.parse((await say("report")).answer) as Handed;
    names.push(environment.LISTEN_FDNAMES!.split(":"));
  };
  for (const name of ["a", "b"]) await say(`store FDSTORE=1|FDNAME=${name}`);
  await say("store FDSTORE=1");
  await say("store-3 FDSTORE=1|FDNAME=third");
  await say("store-3 FDSTORE=1|FDNAME=again");
  await say("store-pipe FDSTORE=1|FDNAME=hung-up");
  await say("store-pipe FDSTORE=1|FDNAME=other|FDPOLL=0");
  await say("store FDSTORE=1|FDNAME=no:name");
  await restart();
  await look();
  await say("notify FDSTOREREMOVE=1|FDNAME=b");
  await say("notify FDSTOREREMOVE=1|FDNAME=stored");
  await say("exit 3");
  await restart();
  await look();
  for (let count = 0; count < 70; count++) await say("store FDSTORE=1|FDNAME=many");
  await restart();
  await look();
  await say("exit 0");
  await look();
  return names;
}

/** Until nobody of before answers any more. */
async function restartByChange(run: Run, file: string): Promise<void> {
  const { pid } = run.events.findLast((event) => event.event === "started")!;
  const changes = run.events.filter(({ event }) => event === "changed").length;
  utimesSync(file, new Date(), new Date());
  await run.event("changed", () => run.events.filter(({ event }) => event === "changed").length > changes);
  await run.event("exited", (event) => event.pid === pid);
}

type Client = (words: readonly string[]) => LongRunning;

/** How connections that are too many end; empty where one is served. */
async function limitStory(two: number, each: number, start: Client): Promise<Record<string, string>> {
  const held: LongRunning[] = [];
  const hold = async (address: string) => {
    const client = start(["--hold", address]);
    held.push(client);
    assert.equal(await client.firstLine, "connected");
  };
  const end = async (address: string) => (JSON.parse((await start(["--silent", address]).result).stdout) as Talk).end;
  await hold(`tcp:127.0.0.1:${two}`);
  await hold(`tcp:::1:${two}`);
  const third = await end(`tcp:127.0.0.1:${two}`);
  await hold(`tcp:127.0.0.1:${each}`);
  const second = await end(`tcp:127.0.0.1:${each}`);
  const mapped = await end(`tcp:::ffff:127.0.0.1:${each}`);
  const report = await start([`tcp:::1:${each}`, "report"]).result;
  const other = (JSON.parse(report.stdout) as Talk).answer === "" ? "refused" : "";
  await Promise.all(held.map((client) => client.stop()));
  return { third, second, mapped, other };
}
