import assert from "node:assert/strict";
import type { Machine } from "./machine.ts";
import { installProbe, probe } from "./probe.ts";
import { systemTest } from "./require.ts";

systemTest(
  "sockets: of every kind, by name in whatever order; several sockets of a name are one server's",
  async (machine) => {
    await installProbe(machine, units);
    const six = await ask(machine, "'http://[::1]:8080/'");
    assert.deepEqual(strip(six.sockets), [...expected].sort(byText));
    assert.equal(six.who, "web");

    for (const [url, who, local] of [
      ["http://127.0.0.1/", "web", "127.0.0.1"],
      ["--unix-socket /run/web.sock http://probe/", "web", undefined],
      ["http://127.0.0.1:82/", "web", "::ffff:127.0.0.1"],
      ["--abstract-unix-socket admin http://probe/", "admin", undefined],
    ] as const) {
      const answer = await ask(machine, url);
      assert.deepEqual([answer.who, answer.local], [who, local], url);
    }

    assert.equal(await datagram(machine, "127.0.0.1", 8125, "soup"), "SOUP");
    assert.equal(await datagram(machine, "::1", 8126, "pie"), "PIE");
    await machine.run("printf two >/run/orders; printf three >/run/orders");
    const { received } = await machine.waitFor("everything has been received", async () => {
      const answer = await ask(machine, "http://127.0.0.1/");
      return answer.received.orders?.includes("three") && answer;
    });
    assert.deepEqual(received, { "stats ipv4": "soup", "stats ipv6": "pie", orders: "twothree" });
  },
);

systemTest(
  "sockets: what is written into a FIFO before any process of the service exists starts it, and is read",
  async (machine) => {
    await installProbe(machine, units);
    await machine.run("printf one >/run/orders");
    await machine.waitFor(
      "the service has started",
      async () => (await machine.show("kinds.service", "ActiveState")) === "active",
    );
    assert.deepEqual((await ask(machine, "http://127.0.0.1/")).received, { orders: "one" });

    // The FIFO is systemd's: who writes in between does so to the next process.
    await machine.run("systemctl stop kinds.service && printf more >/run/orders");
    await machine.waitFor("the next process has read it", async () => {
      return (await ask(machine, "http://127.0.0.1/")).received.orders === "more";
    });
  },
);

systemTest(
  "sockets: one that is missing is told with the names that are there, and READY never comes",
  async (machine) => {
    const { "admin.socket": _, ...others } = units;
    const service = others["kinds.service"].replace("Sockets=admin.socket", "");
    await installProbe(machine, { ...others, "kinds.service": service });
    assert.equal((await machine.try("systemctl start kinds.service")).code, 1);
    const journal = await machine.journal("kinds.service");
    assert.match(journal, /no socket is named "admin"; passed: .*"web" descriptor \d+ 127\.0\.0\.1:80,/);
  },
);

// --- internal ---

const service = "Service=kinds.service";
const units = {
  "web.socket": `[Socket]\nListenStream=127.0.0.1:80\nListenStream=[::1]:8080\nBacklog=99\nFileDescriptorName=web\n${service}`,
  "z.socket": `[Socket]\nListenStream=/run/web.sock\nListenStream=82\nFileDescriptorName=web\n${service}`,
  "admin.socket": `[Socket]\nListenStream=@admin\nFileDescriptorName=admin\n${service}`,
  "stats.socket": `[Socket]\nListenDatagram=127.0.0.1:8125\nListenDatagram=[::1]:8126\nFileDescriptorName=stats\n${service}`,
  "orders.socket": `[Socket]\nListenFIFO=/run/orders\nFileDescriptorName=orders\n${service}`,
  "kinds.service": `[Service]
    Type=notify
    ExecStart=${probe} kinds
    Sockets=web.socket
    Sockets=z.socket
    Sockets=admin.socket
    Sockets=stats.socket
    Sockets=orders.socket`,
};

/** Without `fd`: the order in which systemd passes several .socket units is its own. */
const expected = [
  "web stream ipv4 listener 127.0.0.1:80 99",
  "web stream ipv6 listener [::1]:8080 99",
  "web stream unix listener /run/web.sock 4096",
  "web stream ipv6 listener [::]:82 4096",
  "admin stream unix listener @admin 4096",
  "stats datagram ipv4 listener 127.0.0.1:8125 4096",
  "stats datagram ipv6 listener [::1]:8126 4096",
  "orders fifo undefined undefined undefined 4096",
];

interface KindsAnswer {
  readonly who: string;
  readonly local?: string;
  readonly sockets: readonly Readonly<Record<string, unknown>>[];
  readonly received: Readonly<Record<string, string>>;
}

async function ask(machine: Machine, curlArguments: string): Promise<KindsAnswer> {
  return JSON.parse((await machine.run(`curl -sS -g --max-time 10 ${curlArguments}`)).stdout) as KindsAnswer;
}

function strip(sockets: KindsAnswer["sockets"]): string[] {
  return sockets
    .map(({ name, type, family, role, address, backlog }) => {
      const { host = "", port, path } = (address ?? {}) as { host?: string; port?: number; path?: string };
      const where = address ? (path ?? `${host.includes(":") ? `[${host}]` : host}:${port}`) : undefined;
      return [name, type, family, role, where, backlog].map(String).join(" ");
    })
    .sort(byText);
}

const byText = (a: string, b: string): number => a.localeCompare(b);

/** Sends one datagram from a socket of its own, and gives the answer. */
async function datagram(machine: Machine, host: string, port: number, text: string): Promise<string> {
  const client = `const [host, port, text] = process.argv.slice(1);
    const socket = dgram.createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.on("message", (message) => { process.stdout.write(message); socket.close(); });
    socket.send(text, port, host);`;
  return (await machine.spawn([process.execPath, "--eval", client, host, String(port), text]).result).stdout;
}
