import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { askWeb, installProbe, probe } from "./probe.ts";
import { systemTest } from "./require.ts";

systemTest(
  "watchdog: a healthy service is kept, one whose event loop is blocked is replaced, and the next request answered",
  async (machine) => {
    await installProbe(machine, {
      "web.socket": "[Socket]\nListenStream=80",
      "web.service": `[Service]\nType=notify\nExecStart=${probe} web\nWatchdogSec=2\nRestart=on-failure`,
    });
    const { pid } = await askWeb(machine);
    await sleep(6_500);
    assert.equal((await askWeb(machine)).pid, pid);
    assert.equal(await machine.show("web.service", "NRestarts"), "0");

    const blocking = machine.try("curl -sS http://127.0.0.1/block");
    await machine.waitFor("it is blocked", async () => /: blocked$/m.test(await machine.journal("web.service")));
    assert.notEqual((await askWeb(machine)).pid, pid);
    assert.match((await blocking).stderr, /reset|empty reply/i);
    assert.equal(await machine.show("web.service", "NRestarts"), "1");
    assert.match(await machine.journal("web.service"), /Watchdog timeout.*SIGABRT/s);
  },
);
