import assert from "node:assert/strict";
import { buildExample } from "./build-example.ts";
import { long, raceIdle } from "./idle.ts";
import { installProbe, probe } from "./probe.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

const ports = [81, 82, 83, 84];
const rounds = long ? 250 : 14;

systemTest(
  `idle: ${rounds * ports.length} times a client comes just when the service ends, and is answered`,
  async (machine) => {
    await installProbe(machine, {
      "web@.socket": "[Socket]\nListenStream=%i\nFileDescriptorName=web\nTriggerLimitIntervalSec=0",
      "web@.service": `[Unit]
        StartLimitIntervalSec=0
        [Service]
        Type=notify
        ExecStart=${probe} web
        Environment=IDLE=1s`,
    });
    await machine.run(["systemctl", "start", ...ports.map((port) => `web@${port}.socket`)]);
    const report = await raceIdle(machine, 1000, rounds, ports);
    step(`${report.requests} requests, ${report.starts} starts`);
    assert.deepEqual(report.failures, []);
    assert.equal(report.rounds, rounds * ports.length);
    assert.ok(
      report.starts > 0 && report.starts < report.rounds,
      "the service ended sometimes before, sometimes after",
    );
  },
  long ? { timeout: 15 * 60_000 } : {},
);

systemTest(
  "idle: the idleExit of a definition ends the service, with 0, and its socket starts it again",
  async (machine) => {
    const hello = "hello: { listen: 80, noDelay: true },\n  },";
    const replace = { "rouse.config.ts": [hello, `${hello} idleExit: "1s",`] } as const;
    await machine.install((await buildExample("hello", { replace })).path("deb"));
    for (let count = 0; count < 3; count++) {
      assert.equal((await machine.get("http://127.0.0.1/")).body, "Hello World!\n");
      await machine.waitFor(
        "it has ended",
        async () => (await machine.show("hello.service", "ActiveState")) === "inactive",
      );
      assert.equal(await machine.show("hello.service", "Result"), "success");
    }
  },
);
