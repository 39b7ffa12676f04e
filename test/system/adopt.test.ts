import assert from "node:assert/strict";
import { buildProgram } from "./build-example.ts";
import type { Machine } from "./machine.ts";
import { systemTest } from "./require.ts";

const url = "http://127.0.0.1/";

systemTest(
  "adopt: a program that knows nothing of activation has its sockets, is ready, and drains",
  async (machine) => {
    await machine.install((await buildProgram("adopted")).path("deb"));
    assert.equal(await machine.show("adopted.service", "ActiveState"), "inactive");
    const { pid } = await ask(machine);
    assert.equal(await machine.show("adopted.service", "Type"), "notify");
    assert.equal(await machine.show("adopted.service", "ActiveState"), "active");
    const { stdout } = await machine.run("curl -sS --max-time 10 --unix-socket /run/adopted.sock http://adopted/");
    assert.equal(stdout, "admin");
    await machine.run("bash -c 'printf soup >/dev/udp/127.0.0.1/8125'");
    await machine.waitFor("it has the datagram", async () => (await ask(machine)).received.includes("soup"));

    const slow = machine.get(`${url}slow`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await machine.run("systemctl stop adopted.service");
    assert.equal(JSON.parse((await slow).body).pid, pid);
    assert.notEqual((await ask(machine)).pid, pid);
  },
);

systemTest(
  "adopt: what the sandbox refuses to the program is told with what the definition would need",
  async (machine) => {
    await machine.install((await buildProgram("adopted")).path("deb"));
    await ask(machine);
    const journal = await machine.journal("adopted.service");
    assert.doesNotMatch(journal, /warning/);
    assert.match(journal, /listening on \{ address: '::', family: 'IPv6', port: 80 \}/);
    assert.match(
      journal,
      /EAFNOSUPPORT listen EAFNOSUPPORT: [^\n]*9090\. This address is not adopted[^\n]*To adopt 9090, give it a socket in the definition/,
    );
  },
);

// --- internal ---

async function ask(machine: Machine): Promise<{ pid: number; received: readonly string[] }> {
  return JSON.parse((await machine.get(url)).body);
}
