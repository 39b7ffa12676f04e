/** What a definition promises, in the package that is built of it, on a real systemd. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildExample } from "./build-example.ts";
import type { Machine } from "./machine.ts";
import { sinceTrixie, systemTest } from "./require.ts";

const url = "http://127.0.0.1/";

/** Tells how often it has reloaded, and whatever else is asked for by a path; answers datagrams; blocks on demand. */
const server = `
  import { createSocket } from "node:dgram";
  import { readFileSync } from "node:fs";
  import { createServer } from "node:http";
  import { setTimeout as sleep } from "node:timers/promises";
  import { activate } from "rouse";
  const activation = activate();
  let reloads = 0;
  activation.onReload(async () => {
    await sleep(1500);
    reloads++;
  });
  const server = createServer(({ url = "/" }, response) => {
    if (url === "/block") for (;;);
    if (url === "/pid") return response.end(String(process.pid));
    if (url === "/") return response.end(String(reloads));
    response.end(readFileSync(\`\${process.env.CREDENTIALS_DIRECTORY}\${url}\`));
  });
  await activation.listen(server, "hello");
  if (activation.sockets("stats").length > 0) {
    const stats = createSocket("udp6", (message, peer) => stats.send(message + "!", peer.port, peer.address));
    await activation.listen(stats, "stats");
  }
`;

for (const [form, minimumVersion, options] of [
  ["by a signal from outside of the sandbox", 252, {}],
  ["by Type=notify-reload", 253, sinceTrixie("Type=notify-reload")],
] as const) {
  systemTest(
    `definition: systemctl reload waits until the program has reloaded, ${form}`,
    async (machine) => {
      await install(machine, `systemd: { minimumVersion: ${minimumVersion} }`);
      const pid = await ask(machine, "pid");
      for (const reloads of ["1", "2"]) {
        await machine.run("systemctl reload hello.service");
        assert.equal(await ask(machine, ""), reloads);
      }
      assert.equal(await ask(machine, "pid"), pid);
    },
    options,
  );
}

systemTest(
  "definition: credentials that only root may read, of every spelling, and the score is what it was",
  async (machine) => {
    const path = "/etc/hello/100%-mine:$HOME-%h-é.key";
    await machine.write(path, "secret");
    await machine.write("/etc/credstore/hello.token", "token");
    await machine.run("chmod -R go= /etc/hello /etc/credstore");
    const credentials = { "tls.key": path, token: "hello.token", absent: "hello.nowhere" };
    await install(machine, `watchdog: "30s", credentials: ${JSON.stringify(credentials)}`);
    assert.equal(await ask(machine, "tls.key"), "secret");
    assert.equal(await ask(machine, "token"), "token");
    const { stdout } = await machine.run("systemd-analyze security --no-pager hello.service");
    assert.match(stdout, /Overall exposure level for hello\.service: 0\.[012] /);

    // A restart reads them again, and nobody is turned away meanwhile.
    await machine.write(path, "changed");
    await machine.run("systemctl restart hello.service");
    assert.equal(await ask(machine, "tls.key"), "changed");
  },
);

systemTest("definition: a credential that is not there holds the visitors until it is", async (machine) => {
  await install(machine, 'credentials: { key: "/etc/hello/key" }');
  await assert.rejects(machine.get(url, { timeout: 1000 }), /timed out/);
  await machine.write("/etc/hello/key", "secret");
  assert.equal(await ask(machine, "key"), "secret");
});

systemTest("definition: the watchdog replaces a program whose event loop stands still", async (machine) => {
  await install(machine, 'watchdog: "2s"');
  const pid = await ask(machine, "pid");
  await machine.try("curl -sS http://127.0.0.1/block");
  assert.notEqual(await ask(machine, "pid"), pid);
  assert.match(await machine.journal("hello.service"), /Watchdog timeout/);
});

systemTest("definition: UDP in the sandbox, and a socket that cannot be had where it is optional", async (machine) => {
  // No interface has that address.
  await install(machine, "", 'stats: "udp:8125", far: { listen: "192.0.2.1:82", freeBind: false, optional: true },');
  assert.equal(await machine.show("hello-far.socket", "ActiveState"), "failed");
  assert.equal(await ask(machine, ""), "0");
  const echo = "exec 3<>/dev/udp/127.0.0.1/8125; printf ping >&3; timeout 10 head -c 5 <&3";
  assert.equal((await machine.run(["bash", "-c", echo])).stdout, "ping!");
  assert.equal(await machine.show("hello.service", "ActiveState"), "active");
});

// --- internal ---

async function install(machine: Machine, keys: string, sockets = ""): Promise<void> {
  const original = readFileSync(join(import.meta.dirname, "../../examples/hello/src/server.ts"), "utf8");
  const socket = "hello: { listen: 80, noDelay: true },\n  },";
  const built = await buildExample("hello", {
    replace: {
      "src/server.ts": [original, server],
      "rouse.config.ts": [socket, `${socket.slice(0, -"\n  },".length)} ${sockets}\n  },\n  ${keys}`],
    },
  });
  await machine.install(built.path("deb"));
}

async function ask(machine: Machine, path: string): Promise<string> {
  return (await machine.get(`${url}${path}`, { timeout: 30_000 })).body;
}
