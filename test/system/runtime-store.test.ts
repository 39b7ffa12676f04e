import assert from "node:assert/strict";
import type { Machine } from "./machine.ts";
import { installProbe, probe } from "./probe.ts";
import { sinceTrixie, systemTest } from "./require.ts";

const web = "web stream listener";
const units = {
  "keeper.socket": "[Socket]\nListenStream=80\nFileDescriptorName=web",
  "keeper.service": `[Service]
    Type=notify
    ExecStart=${probe} keeper
    RuntimeDirectory=keeper
    FileDescriptorStoreMax=8`,
};

systemTest("store: a file without a name, a listening socket and a connection outlive a restart", async (machine) => {
  await installProbe(machine, units);
  const first = await ask(machine, "/add");
  assert.deepEqual(first, { pid: first.pid, kept: [web], stored: { counter: true, own: true }, count: 0 });
  const client = machine.spawn([process.execPath, "--eval", talker]);
  assert.equal(await client.firstLine, `stored by ${first.pid}`);
  assert.equal(await machine.show("keeper.service", "NFileDescriptorStore"), "3");

  await machine.run("systemctl restart keeper.service");
  const second = await ask(machine, "/add");
  assert.notEqual(second.pid, first.pid);
  assert.equal(second.count, 1);
  assert.deepEqual(second.stored, {});
  const all = ["counter other undefined", "own stream listener", "talk stream connection", web];
  assert.deepEqual(second.kept.toSorted(), all);
  const { pid } = second;
  assert.equal((await client.result).stdout, `stored by ${first.pid}\nhere is ${pid}\n${pid} heard soup\n`);
  assert.equal((await machine.run("curl -sS --http0.9 http://127.0.0.1:9000/")).stdout, `own of ${second.pid}\n`);

  await machine.run("systemctl restart keeper.service");
  assert.equal((await ask(machine, "/")).count, 2);
});

systemTest("store: what is forgotten does not come back, nor what was stored before a stop", async (machine) => {
  await installProbe(machine, units);
  await ask(machine, "/forget");
  assert.equal(await machine.show("keeper.service", "NFileDescriptorStore"), "1");
  await machine.run("systemctl restart keeper.service");
  const { kept, stored } = await ask(machine, "/");
  assert.deepEqual(kept.toSorted(), ["own stream listener", web]);
  assert.deepEqual(stored, { counter: true });

  await machine.run("systemctl stop keeper.service");
  assert.deepEqual((await ask(machine, "/")).kept, [web]);
});

systemTest(
  "store: systemd keeps it over a stop where the unit says so",
  async (machine) => {
    const service = `${units["keeper.service"]}\nFileDescriptorStorePreserve=yes`;
    await installProbe(machine, { ...units, "keeper.service": service });
    await ask(machine, "/add");
    await machine.run("systemctl stop keeper.service");
    assert.equal((await ask(machine, "/")).count, 1);
  },
  sinceTrixie("FileDescriptorStorePreserve="),
);

systemTest("store: a unit without FileDescriptorStoreMax= keeps nothing, and the service runs", async (machine) => {
  const { "keeper.service": service } = units;
  await installProbe(machine, { ...units, "keeper.service": service.replace(/\n.*StoreMax=8/, "") });
  await ask(machine, "/add");
  await machine.run("systemctl restart keeper.service");
  assert.equal((await ask(machine, "/")).count, 0);
});

// --- internal ---

interface KeeperAnswer {
  readonly pid: number;
  /** What the process was started with. */
  readonly kept: readonly string[];
  readonly stored: Readonly<Record<string, boolean>>;
  readonly count: number;
}

/** A client that stays on one connection, and answers when it hears of the second process. */
const talker = `const socket = net.connect(9001, "127.0.0.1");
  socket.on("data", (data) => {
    process.stdout.write(data);
    if (/^here/.test(data)) socket.write("soup\\n");
    if (/heard/.test(data)) socket.destroy();
  });`;

async function ask(machine: Machine, path: string): Promise<KeeperAnswer> {
  return JSON.parse((await machine.get(`http://127.0.0.1${path}`)).body) as KeeperAnswer;
}
