/** The sockets that `rouse run` opens: that they serve, what a child has of them, and what is left of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readSocket } from "../../src/activation/descriptor.ts";
import { socketOption } from "../../src/activation/ffi.ts";
import { ask, askDatagram } from "../helpers/ask.ts";
import { makeProject } from "../helpers/project.ts";
import { isRoot, openAsNobody, openDescriptors, openHere, pathOf, portOf, SERVE, startOther, want } from "./opening.ts";

describe("an open socket serves in a child", () => {
  it("TCP at every address: over IPv4, over IPv6, and by the URL that is shown", async (t) => {
    const { sockets } = openHere(t, [want("http", "0")]);
    const [http] = sockets;
    await startOther(t, SERVE, { fds: [http!.fd] });
    const port = portOf(http!);
    assert.equal(http!.url, `http://localhost:${port}/`);
    assert.equal(await ask({ port }), "served");
    for (const url of [http!.url, `http://[::1]:${port}/`, `http://127.0.0.1:${port}/`]) {
      const answer = await fetch(url, { headers: { connection: "close" } });
      assert.equal(await answer.text(), "served");
    }
  });

  it("TCP at one address, of IPv4 and of IPv6", async (t) => {
    const { sockets } = openHere(t, [want("http", ["127.0.0.1:0", "[::1]:0"])]);
    assert.deepEqual(
      sockets.map(({ name, address, insteadOf }) => [name, address.type === "tcp" && address.host, insteadOf]),
      [
        ["http", "127.0.0.1", undefined],
        ["http", "::1", undefined],
      ],
    );
    for (const { fd, url } of sockets) {
      await startOther(t, SERVE, { fds: [fd] });
      assert.equal(await (await fetch(url, { headers: { connection: "close" } })).text(), "served");
    }
  });

  it("TCP at an IPv4 address that is written as IPv6", async (t) => {
    const [http] = openHere(t, [want("http", "[::ffff:127.0.0.1]:0")]).sockets;
    await startOther(t, SERVE, { fds: [http!.fd] });
    assert.equal(await ask({ port: portOf(http!) }), "served");
  });

  it("UDP", async (t) => {
    const { sockets } = openHere(t, [want("stats", "udp:0")]);
    const [stats] = sockets;
    assert.equal(stats!.type, "datagram");
    assert.equal(stats!.url, `udp://127.0.0.1:${portOf(stats!)}`);
    const echo = `const s = require("dgram").createSocket("udp6");
      s.on("message", (m, { port, address }) => s.send("echo " + m, port, address));
      s.bind({ fd: 3 }, () => console.log("bound"));`;
    await startOther(t, echo, { fds: [stats!.fd] });
    assert.equal(await askDatagram(portOf(stats!), "hello"), "echo hello");
  });

  it("a unix path, which is then shown from the root", async (t) => {
    const folder = makeProject(t, {});
    const before = process.cwd();
    process.chdir(folder);
    t.after(() => process.chdir(before));
    const { sockets } = openHere(t, [want("s", "unix:x.sock")]);
    const [s] = sockets;
    await startOther(t, SERVE, { fds: [s!.fd] });
    assert.equal(s!.url, join(process.cwd(), "x.sock"));
    assert.equal(await ask({ path: s!.url }), "served");
  });
});

describe("a descriptor", () => {
  it("is closed on exec, and blocks, as one of systemd's does", (t) => {
    const { sockets } = openHere(t, [want("a", "0"), want("b", "udp:0"), want("c", `unix:${makeProject(t, {})}/c`)]);
    for (const { fd } of sockets) {
      const [, flags = ""] = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))!;
      assert.equal(Number.parseInt(flags, 8) & 0o2000000, 0o2000000, "FD_CLOEXEC");
      assert.equal(Number.parseInt(flags, 8) & 0o4000, 0, "O_NONBLOCK");
    }
  });

  it("has the backlog that was asked for, or as much as the system allows", (t) => {
    const { sockets } = openHere(t, [want("a", "0", { backlog: 7 }), want("b", "0")]);
    const most = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
    assert.deepEqual(
      sockets.map(({ fd }) => readSocket(fd)?.backlog),
      [7, most],
    );
  });

  it("has TCP_NODELAY where it was asked for", (t) => {
    const { sockets } = openHere(t, [want("a", "0", { noDelay: true }), want("b", "0")]);
    assert.deepEqual(
      sockets.map(({ fd }) => socketOption(fd, [6, 1])?.[0]),
      [1, 0],
    );
  });
});

describe("a unix socket of the definition", () => {
  it("is in the run's folder, told beside its own path, and its file never has more rights than its mode", (t) => {
    for (const mask of [0, 0o077]) {
      const before = process.umask(mask);
      t.after(() => process.umask(before));
      const folder = makeProject(t, {});
      const all = [want("admin", "unix:/run/lunchd/admin.sock", { ofDefinition: true, mode: "0620" })];
      const [admin] = openHere(t, all, folder).sockets;
      assert.equal(pathOf(admin!), join(folder, "admin.sock"));
      assert.deepEqual(admin!.insteadOf, { type: "unix", path: "/run/lunchd/admin.sock" });
      assert.equal(statSync(pathOf(admin!)).mode & 0o777, 0o620);
      assert.equal(process.umask(before), mask);
    }
  });

  it("has a file of its own for each of its addresses, and leaves the run's notify.sock alone", (t) => {
    const folder = makeProject(t, {});
    const paths = ["unix:/run/a.sock", "unix:/run/b.sock"];
    const all = [
      want("admin", paths, { ofDefinition: true }),
      want("notify", "unix:/run/n.sock", { ofDefinition: true }),
    ];
    const names = openHere(t, all, folder).sockets.map((socket) => pathOf(socket).slice(folder.length + 1));
    assert.deepEqual(names, ["admin.sock", "admin-2.sock", "notify-2.sock"]);
  });

  it("has a shorter path where its name is too long for one", async (t) => {
    const folder = makeProject(t, {});
    const deep = join(folder, "d".repeat(106 - folder.length));
    const name = "n".repeat(100);
    const long = openHere(t, [want(name, "unix:/run/a.sock", { ofDefinition: true })], folder).sockets[0]!;
    assert.equal(pathOf(long), join(folder, "0.sock"));
    const deeper = openHere(t, [want("a", "unix:/run/a.sock", { ofDefinition: true })], deep).sockets[0]!;
    assert.match(pathOf(deeper), /^\/tmp\/rouse-\w+\.sock$/);
    await startOther(t, SERVE, { fds: [deeper.fd] });
    assert.equal(await ask({ path: pathOf(deeper) }), "served");
    deeper.close();
    assert.equal(existsSync(pathOf(deeper)), false);
  });

  it("gets its group, or a warning says why it does not", (t) => {
    const admin = want("admin", "unix:/run/a.sock", { ofDefinition: true, mode: "0660", group: "tty" });
    const tty = Number(/^tty:[^:]*:(\d+)/m.exec(readFileSync("/etc/group", "utf8"))![1]);
    if (isRoot) {
      const { sockets, problems } = openHere(t, [admin]);
      assert.equal(statSync(pathOf(sockets[0]!)).gid, tty);
      assert.deepEqual(problems, []);
    } else t.diagnostic("only root may give a file to any group");
    const { sockets, problems } = openAsNobody(t, [admin]);
    assert.equal(sockets.length, 1);
    assert.match(problems[0]!.what, /socket "admin" does not get the group tty: operation not permitted/);
    const [missing] = openHere(t, [{ ...admin, group: "no-such-group" }]).problems;
    assert.match(missing!.what, /no-such-group: this machine has no such group/);
  });
});

describe("closing", () => {
  it("closes the descriptors and removes the files that were made", (t) => {
    const [folder, before] = [makeProject(t, {}), openDescriptors()];
    const { sockets } = openHere(t, [want("http", "0"), want("s", `unix:${folder}/s`)]);
    assert.equal(openDescriptors().length, before.length + 2);
    for (const socket of [...sockets, ...sockets]) socket.close(); // A second time is nothing.
    assert.deepEqual(openDescriptors(), before);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("leaves what somebody else has put in the file's place", (t) => {
    const folder = makeProject(t, {});
    const path = join(folder, "s");
    const [first] = openHere(t, [want("s", `unix:${path}`)]).sockets;
    writeFileSync(`${path}.new`, "precious");
    renameSync(`${path}.new`, path);
    first!.close();
    assert.equal(readFileSync(path, "utf8"), "precious");
  });
});

describe("what a dead process has left behind", () => {
  it("is replaced where it is a socket that nobody listens on", async (t) => {
    const path = join(makeProject(t, {}), "s.sock");
    const dead = await startOther(t, `require("net").createServer().listen("${path}", () => console.log("listening"))`);
    process.kill(dead.pid, "SIGKILL");
    await new Promise((resolve) => dead.child.once("close", resolve));
    assert.equal(existsSync(path), true);
    const [s] = openHere(t, [want("s", `unix:${path}`)]).sockets;
    await startOther(t, SERVE, { fds: [s!.fd] });
    assert.equal(await ask({ path }), "served");
  });
});

describe("a machine whose IPv6 is off", () => {
  const without = ["sh", "-c", 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; exec "$0" "$@"'];
  const before = ["unshare", "--net", ...(isRoot ? [] : ["--map-root-user"]), ...without];
  const canBe = spawnSync(before[0]!, [...before.slice(1), "true"]).status === 0;

  it("has every address none the less, and says why it does not have one of IPv6", (t) => {
    if (!canBe) return t.skip("this user may not make a network of its own (unshare --net)");
    const { sockets } = openAsNobody(t, [want("http", "0")], { before });
    assert.match(sockets[0]!.url, /^http:\/\/localhost:\d+\/$/);
    const { failed } = openAsNobody(t, [want("http", "[::1]:0"), want("x", "[fd00::7]:80")], { before });
    assert.deepEqual(failed, [
      {
        code: "no-ipv6",
        what: "[::1]:0 cannot be listened on: this machine has no IPv6",
        mend: "listen on 127.0.0.1:0 instead",
      },
      {
        code: "no-ipv6",
        what: "[fd00::7]:80 cannot be listened on: this machine has no IPv6",
        mend: "listen on 0.0.0.0:80 instead",
      },
    ]);
  });
});
