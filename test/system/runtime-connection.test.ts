import assert from "node:assert/strict";
import type { Machine } from "./machine.ts";
import { askWeb, installProbe, probe } from "./probe.ts";
import { systemTest } from "./require.ts";

systemTest(
  "connection: Accept=yes gives each connection to a process of its own, an HTTP server included",
  async (machine) => {
    await installProbe(machine, {
      "web.socket": "[Socket]\nListenStream=80\nListenStream=/run/web.sock\nAccept=yes",
      "web@.service": `[Service]\nExecStart=${probe} web`,
    });
    const first = await askWeb(machine);
    const second = await askWeb(machine);
    assert.equal(first.source, "systemd");
    assert.notEqual(first.pid, second.pid);

    const { stdout } = await machine.run("curl -sS --local-port 5555 http://127.0.0.1/");
    assert.deepEqual(JSON.parse(stdout).peer, { address: "127.0.0.1", port: 5555 });
    const six = await machine.run("curl -sS -g --local-port 5556 'http://[::1]/'");
    assert.deepEqual(JSON.parse(six.stdout).peer, { address: "::1", port: 5556 });
    // A client's unix socket has no name, as a rule.
    const unix = await machine.run("curl -sS --unix-socket /run/web.sock http://probe/");
    assert.deepEqual(JSON.parse(unix.stdout).peer, {});

    await machine.waitFor("every process has ended", async () => (await machine.try("pgrep -x probe")).code === 1);
    const ends = (await machine.run("journalctl -o cat -u 'web@*' | grep -c 'Deactivated successfully'")).stdout;
    assert.equal(Number(ends), 5);
  },
);

systemTest(
  "connection: a program reads and writes its connection itself, passed as a descriptor or as standard input",
  async (machine) => {
    await installProbe(machine, {
      "line.socket": "[Socket]\nListenStream=70\nAccept=yes",
      "line@.service": `[Service]\nExecStart=${probe} line`,
      "stdin.socket": "[Socket]\nListenStream=71\nAccept=yes",
      "stdin@.service": `[Service]\nExecStart=${probe} line\nStandardInput=socket\nStandardError=journal`,
    });
    for (const [port, source] of [
      [70, "systemd"],
      [71, "inetd"],
    ] as const) {
      const [hello, ...rest] = (await talk(machine, port, "soup\nof the day\n")).split("\n");
      const { peer, ...others } = JSON.parse(hello!);
      assert.deepEqual(others, { source });
      assert.equal(peer.address, "127.0.0.1");
      assert.ok(peer.port > 1024, peer.port);
      assert.deepEqual(rest, ["SOUP", "OF THE DAY", ""]);
    }
    await machine.waitFor("every process has ended", async () => (await machine.try("pgrep -x probe")).code === 1);
  },
);

systemTest(
  "connection: a program that only knows stdin and stdout serves; what it says on stderr is the journal's",
  async (machine) => {
    await installProbe(machine, {
      "shout.socket": "[Socket]\nListenStream=70\nAccept=yes",
      "shout@.service": `[Service]\nExecStart=${probe} shout\nStandardInput=socket\nStandardError=journal`,
    });
    assert.equal(await talk(machine, 70, "soup\nbye\n"), "SOUP!\n");
    assert.equal(await talk(machine, 70, "soup\nof the day"), "SOUP!\nOF THE DAY!\n");
    const { stdout } = await machine.run("journalctl -o cat -u 'shout@*' _COMM=probe");
    assert.equal(stdout, "a caller\na caller\n");
  },
);

systemTest("connection: Accept=no and StandardInput=socket is a listening socket on descriptor 0", async (machine) => {
  await installProbe(machine, {
    "web.socket": "[Socket]\nListenStream=80",
    "web.service": `[Service]\nType=notify\nExecStart=${probe} web\nStandardInput=socket`,
  });
  const first = await askWeb(machine);
  assert.equal(first.source, "inetd");
  assert.equal((await askWeb(machine)).pid, first.pid);
  await machine.run("systemctl restart web.service");
  assert.notEqual((await askWeb(machine)).pid, first.pid);
});

// --- internal ---

/** Sends the text over a connection of its own, ends that half, and gives all that comes back. */
async function talk(machine: Machine, port: number, text: string): Promise<string> {
  const client =
    "const [port, text] = process.argv.slice(1); net.connect(port, '127.0.0.1').end(text).pipe(process.stdout)";
  const { stdout, stderr } = await machine.spawn([process.execPath, "--eval", client, String(port), text]).result;
  assert.equal(stderr, "");
  return stdout;
}
