import assert from "node:assert/strict";
import { installProbe, probe } from "./probe.ts";
import { systemTest } from "./require.ts";

systemTest(
  "journal: the console of rouse gives each line its priority, also where a message has several lines",
  async (machine) => {
    await installProbe(machine, { "logs.service": `[Service]\nType=oneshot\nExecStart=${probe} logs` });
    await machine.run("systemctl start logs.service && journalctl --sync");
    const { stdout } = await machine.run("journalctl -o json -u logs.service _TRANSPORT=stdout");
    const entries = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>);
    const [debug, ...rest] = entries.map(({ PRIORITY, MESSAGE }) => `${PRIORITY} ${MESSAGE}`);
    assert.deepEqual(
      [debug, ...rest.slice(0, 4)],
      ["7 a detail of it", "6 a line", "6 a fact", "4 a warning", "3 RangeError: an error"],
    );
    assert.ok(rest.length > 5, "the stack has lines of its own");
    assert.ok(
      rest.slice(4).every((line) => /^3 +at /.test(line)),
      stdout,
    );
  },
);

systemTest("journal: written into a file or to a client, lines carry no priority", async (machine) => {
  await installProbe(machine, {
    "logs.service": `[Service]\nType=oneshot\nExecStart=${probe} logs\nStandardOutput=file:/run/out\nStandardError=journal`,
  });
  await machine.run("systemctl start logs.service && journalctl --sync");
  assert.equal((await machine.run("cat /run/out")).stdout, "a detail of it\na line\na fact\n");
  const { stdout } = await machine.run("journalctl -o json -u logs.service _TRANSPORT=stdout");
  assert.deepEqual(JSON.parse(stdout.split("\n")[0]!).PRIORITY, "4");
});
