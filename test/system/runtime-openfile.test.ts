import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { askWeb, installProbe, probe } from "./probe.ts";
import { sinceTrixie, systemTest } from "./require.ts";

systemTest(
  "openfile: a service that may not create any socket tells systemd through the descriptor of OpenFile=",
  async (machine) => {
    await installProbe(machine, {
      "web.socket": "[Socket]\nListenStream=80\nFileDescriptorName=web",
      "web.service": `[Service]
        Type=notify
        ExecStart=${probe} web
        OpenFile=/run/systemd/notify:notify
        RestrictAddressFamilies=none
        SystemCallFilter=~socket
        WatchdogSec=2
        ExecReload=/bin/kill -HUP $MAINPID`,
    });
    const { pid } = await askWeb(machine);
    assert.equal(await machine.show("web.service", "ActiveState"), "active");
    await machine.get("http://127.0.0.1/status?text=two+cooks");
    assert.equal(await machine.show("web.service", "StatusText"), "two cooks");
    await sleep(4_500);
    await machine.run("systemctl reload web.service");
    const { pid: later, reloads } = await machine.waitFor("it has reloaded", async () => {
      const answer = await askWeb(machine);
      return answer.reloads === 1 && answer;
    });
    assert.deepEqual([later, reloads], [pid, 1]);
    assert.equal(await machine.show("web.service", "ActiveState"), "active");
  },
  sinceTrixie("OpenFile="),
);
