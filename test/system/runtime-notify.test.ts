import assert from "node:assert/strict";
import type { Machine } from "./machine.ts";
import { askWeb, installProbe, probe, writeUnits } from "./probe.ts";
import { sinceTrixie, systemTest } from "./require.ts";

const socket = "[Socket]\nListenStream=80";
const reloadBySignal = "ExecReload=/bin/kill -HUP $MAINPID";

systemTest("notify: a start lasts until the program is ready; its status is told", async (machine) => {
  await installProbe(machine, { "web.socket": socket, "web.service": web("Environment=START=1500") });
  await machine.run("systemctl start --no-block web.service");
  assert.equal(await state(machine), "activating start");
  await machine.run("systemctl start web.service");
  assert.equal(await state(machine), "active running");

  await machine.get("http://127.0.0.1/status?text=two+cooks%0AREADY=0");
  assert.equal(await machine.show("web.service", "StatusText"), "two cooks READY=0");
});

systemTest("notify: systemctl reload by a signal shows as reloading while the program serves on", async (machine) => {
  await installProbe(machine, { "web.socket": socket, "web.service": web("Environment=RELOAD=1000", reloadBySignal) });
  const { pid } = await askWeb(machine);
  for (const count of [1, 2]) {
    await machine.run("systemctl reload --no-block web.service");
    await machine.waitFor("it is reloading", async () => /^reloading/.test(await state(machine)));
    assert.deepEqual(await pidAndReloads(machine), [pid, count - 1]);
    await machine.waitFor("it has reloaded", async () => (await state(machine)) === "active running");
    assert.deepEqual(await pidAndReloads(machine), [pid, count]);
  }
});

systemTest(
  "notify: systemctl reload of Type=notify-reload waits until the program has reloaded",
  async (machine) => {
    await installProbe(machine, {
      "web.socket": socket,
      "web.service": web("Type=notify-reload", "Environment=RELOAD=1000"),
    });
    const { pid } = await askWeb(machine);
    await machine.run("systemctl reload --no-block web.service");
    await machine.waitFor("it is reloading", async () => /^reloading/.test(await state(machine)));
    await machine.waitFor("it has reloaded", async () => (await state(machine)) === "active running");
    await machine.run("systemctl reload web.service");
    assert.deepEqual(await pidAndReloads(machine), [pid, 2]);
  },
  sinceTrixie("Type=notify-reload"),
);

systemTest("notify: more time for a start that takes longer than TimeoutStartSec=", async (machine) => {
  const patience = ["TimeoutStartSec=1", "Environment=START=3000"];
  await installProbe(machine, { "web.service": web(...patience), "web.socket": socket });
  assert.equal((await machine.try("systemctl start web.service")).code, 1);
  assert.equal(await machine.show("web.service", "Result"), "timeout");

  await writeUnits(machine, { "web.service": web(...patience, "Environment=EXTEND=2000") });
  await machine.run("systemctl start web.service");
  assert.equal((await askWeb(machine)).source, "systemd");
});

systemTest("notify: more time for a stop that takes longer than TimeoutStopSec=", async (machine) => {
  const service = (...lines: string[]) => ({ "web.service": web("TimeoutStopSec=1", ...lines) });
  const stopWithin = async () => {
    const { pid } = await askWeb(machine);
    const slow = machine.try("curl -sS 'http://127.0.0.1/slow?ms=3000'");
    await machine.waitFor("both requests are in flight", async () => (await askWeb(machine)).inFlight === 2);
    await machine.run("systemctl stop web.service");
    await machine.run(`test ! -e /proc/${pid}`);
    return { answer: (await slow).stdout, result: await machine.show("web.service", "Result") };
  };
  await installProbe(machine, { "web.socket": socket, ...service() });
  assert.deepEqual(await stopWithin(), { answer: "", result: "timeout" });
  await writeUnits(machine, service("Environment=EXTEND=2000"));
  assert.deepEqual(await stopWithin(), { answer: '"slow"\n', result: "success" });
});

// --- internal ---

function web(...lines: string[]): string {
  return ["[Service]", "Type=notify", `ExecStart=${probe} web`, ...lines].join("\n");
}

async function state(machine: Machine): Promise<string> {
  return `${await machine.show("web.service", "ActiveState")} ${await machine.show("web.service", "SubState")}`;
}

async function pidAndReloads(machine: Machine): Promise<[pid: number, reloads: number]> {
  const { pid, reloads } = await askWeb(machine);
  return [pid, reloads];
}
