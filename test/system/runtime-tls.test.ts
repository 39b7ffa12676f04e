import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { makeCertificate } from "../activation/certificates.ts";
import { startKeepAlive } from "./keep-alive.ts";
import { startLoad } from "./load.ts";
import type { Machine } from "./machine.ts";
import { installProbe, probe } from "./probe.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

const url = "https://127.0.0.1/";
const socket = "[Socket]\nListenStream=443\nFileDescriptorName=web";
const folder = mkdtempSync(join(tmpdir(), "rouse-tls-"));
after(() => rmSync(folder, { recursive: true }));

systemTest(
  "tls: a restart under load serves the new certificate of a credential, and drops nobody",
  async (machine) => {
    await giveCertificate(machine, "one");
    await installProbe(machine, {
      "web.socket": socket,
      "web.service": `[Service]
      Type=notify
      ExecStart=${probe} secure
      User=nobody
      LoadCredential=tls.key:/etc/web/tls.key
      LoadCredential=tls.crt:/etc/web/tls.crt`,
    });
    const load = await startLoad(machine, url, 10);
    await giveCertificate(machine, "two");
    await machine.run("systemctl restart web.service");
    await machine.waitFor("the new certificate", async () => (await certificate(machine)) === "two");
    const { requests, failures, answers } = await load.stop();
    step(`${requests} requests, ${failures.length} failed`);
    assert.deepEqual(failures, []);
    const served = Object.keys(answers).map((answer) => answer.replace(/ \d+\n/, ""));
    assert.deepEqual(served, ["200 one", "200 two"]);
  },
);

systemTest("tls: systemctl reload reads paths again, and the connections go on", async (machine) => {
  await giveCertificate(machine, "one");
  await installProbe(machine, {
    "web.socket": socket,
    "web.service": `[Service]
      Type=notify
      ExecStart=${probe} secure
      Environment=FILES=/etc/web
      ExecReload=/bin/kill -HUP $MAINPID`,
  });
  const load = await startLoad(machine, url, 10);
  const kept = await startKeepAlive(machine, url, 5, 20);
  await giveCertificate(machine, "two");
  await machine.run("systemctl reload web.service");
  await machine.waitFor("the new certificate", async () => (await certificate(machine)) === "two");

  step("a certificate that is not whole");
  await machine.run("echo nonsense >/etc/web/tls.crt && systemctl reload web.service");
  await machine.waitFor("the failure is told", async () =>
    /^reload failed: the TLS certificate stays as it was: /.test(await machine.show("web.service", "StatusText")),
  );
  assert.equal(await certificate(machine), "two");

  const { requests, failures, answers } = await load.stop();
  step(`${requests} requests, ${failures.length} failed`);
  assert.deepEqual(failures, []);
  const { connections, crossed, reset, ...others } = await kept.stop();
  assert.deepEqual([connections, crossed, reset, others.failures], [5, 0, 0, []]);
  const [one, two, ...more] = Object.keys(answers);
  assert.deepEqual([one, more], [two!.replace("two", "one"), []], "one process");
  assert.match(two!, /^200 two \d+\n$/);
});

// --- internal ---

/** Puts a new key, readable for root alone, and its certificate, whose common name it is, into /etc/web. */
async function giveCertificate(machine: Machine, name: string): Promise<void> {
  const { key, cert } = makeCertificate(folder, name);
  await machine.copyIn(key, "/etc/web/tls.key");
  await machine.copyIn(cert, "/etc/web/tls.crt");
}

/** The common name of what a new handshake gets. */
async function certificate(machine: Machine): Promise<string | undefined> {
  const { stderr } = await machine.run(["curl", "-sSkv", "--output", "/dev/null", url]);
  return /subject: CN=(\w+)/.exec(stderr)?.[1];
}
