/** What stands in the way of a socket of `rouse run`: that it is told, with who it is and what to write instead, and that nothing is left. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import type { WantedSocket } from "../../src/run/sockets.ts";
import { holdSocket } from "../helpers/passed-socket.ts";
import { makeProject } from "../helpers/project.ts";
import { failHere, isRoot, openAsNobody, openDescriptors, openHere, portOf, startOther, want } from "./opening.ts";

const LISTEN = (place: string): string =>
  `const s = require("net").createServer().listen(${place}, () => console.log(s.address().port ?? "listening"))`;
const BIND = (place: string): string =>
  `const s = require("dgram").createSocket("udp4").bind(${place}, () => console.log(s.address().port))`;

describe("a port in use", () => {
  const cases: [title: string, source: string, listen: (port: string) => string, held: string][] = [
    ["at the same address", LISTEN('0, "127.0.0.1"'), (port) => `127.0.0.1:${port}`, "127.0.0.1:PORT"],
    ["of every address, by one", LISTEN('0, "127.0.0.1"'), (port) => port, "127.0.0.1:PORT"],
    ["of one address, by every one", LISTEN("0"), (port) => `127.0.0.1:${port}`, "[::]:PORT"],
    ["of one of IPv6", LISTEN('0, "::1"'), (port) => `[::1]:${port}`, "[::1]:PORT"],
    ["by an IPv4 address that is written as IPv6", LISTEN('0, "::ffff:127.0.0.1"'), (port) => port, "127.0.0.1:PORT"],
    ["of UDP", BIND('0, "127.0.0.1"'), (port) => `udp:${port}`, "127.0.0.1:PORT"],
  ];
  for (const [title, source, listen, held] of cases) {
    it(`${title}: who has it is told, and a port that is free`, async (t) => {
      const { pid, line: port } = await startOther(t, source);
      const [problem, ...more] = failHere(t, [want("http", listen(port))]);
      assert.deepEqual(more, []);
      const kind = source.includes("dgram") ? "UDP port" : "port";
      const program = `${basename(process.execPath)} -e ${source}`;
      const command = program.length > 80 ? `${program.slice(0, 79)}…` : program;
      assert.equal(
        problem!.what,
        `${kind} ${port} is in use: ${command} (pid ${pid}) has ${held.replace("PORT", port)}`,
      );
      const [, other] = /^end that process, or choose another port: --socket http=(\S+)$/.exec(problem!.mend!)!;
      assert.equal(other!.replace(/\d+$/, ""), listen(port).replace(/\d+$/, ""));
      assert.equal(openHere(t, [want("http", other!)]).sockets.length, 1);
    });
  }

  it("of the definition is an error too, at its place in the definition", async (t) => {
    const { line: port } = await startOther(t, LISTEN("0"));
    const [problem] = failHere(t, [want("http", port, { ofDefinition: true })]);
    assert.equal(problem!.code, "port-in-use");
    assert.deepEqual(problem!.where, { key: "sockets.http" });
    assert.match(problem!.mend!, /--port http=\d+$/);
  });

  it("of a socket with several: what is to be written has all of them", async (t) => {
    const { line: port } = await startOther(t, LISTEN("0"));
    const [problem] = failHere(t, [want("http", [port, "127.0.0.1:1", "unix:/run/x"], { ofDefinition: true })]);
    assert.match(problem!.mend!, /: --socket http=\d+ --socket http=127.0.0.1:1 --socket http=unix:\/run\/x$/);
  });

  it("by several processes: the oldest is told, and how many more there are", async (t) => {
    const held = holdSocket();
    const first = await startOther(t, 'console.log("ready"); setTimeout(() => {}, 1e6)', { fds: [held.fd] });
    await startOther(t, 'console.log("ready"); setTimeout(() => {}, 1e6)', { fds: [held.fd] });
    held.close();
    const [problem] = failHere(t, [want("http", `127.0.0.1:${held.port}`)]);
    assert.match(problem!.what, new RegExp(`\\(pid ${first.pid} and 1 more\\) has 127.0.0.1:${held.port}$`));
  });

  it("by another user's process: that it is one", async (t) => {
    if (!isRoot) return t.skip("only root can start another user's process");
    const { line: port } = await startOther(t, LISTEN("0"));
    const { failed } = openAsNobody(t, [want("http", port)]);
    const seen = "a process of root has .* \\(only that user and root can see which\\)";
    assert.match(failed[0]!.what, new RegExp(`^port ${port} is in use: ${seen.replace(".*", `\\[::\\]:${port}`)}$`));
  });
});

describe("a port that needs more rights", () => {
  const start = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  const cannotBe = start <= 900 && `every user may have port 900 here (ip_unprivileged_port_start=${start})`;

  it("of the definition becomes the one 8000 higher, or any that is free", async (t) => {
    if (cannotBe) return t.skip(cannotBe);
    const port = await privilegedPort();
    const http = want("http", `127.0.0.1:${port}`, { ofDefinition: true });
    const mapped = openAsNobody(t, [http]).sockets[0]!;
    assert.equal(portOf(mapped), port + 8000);
    assert.deepEqual(mapped.insteadOf, { type: "tcp", host: "127.0.0.1", port });
    await holdPort(t, port + 8000);
    const other = openAsNobody(t, [http]).sockets[0]!;
    assert.notEqual(portOf(other), port + 8000);
    assert.deepEqual(other.insteadOf, { type: "tcp", host: "127.0.0.1", port });
    assert.equal(other.url, `tcp://127.0.0.1:${portOf(other)}`.replace(/^tcp(.*)/, "http$1/"));
  });

  it("is not mapped onto a port that another socket wants", async (t) => {
    if (cannotBe) return t.skip(cannotBe);
    const port = await privilegedPort();
    const [a, b] = [port, port + 8000].map((one) => want(`p${one}`, `127.0.0.1:${one}`, { ofDefinition: true }));
    const { sockets } = openAsNobody(t, [a!, b!]);
    assert.notEqual(portOf(sockets[0]!), port + 8000);
    assert.equal(portOf(sockets[1]!), port + 8000);
    assert.equal(sockets[1]!.insteadOf, undefined);
  });

  it("is refused where somebody has asked for it", async (t) => {
    if (cannotBe) return t.skip(cannotBe);
    const port = await privilegedPort();
    const { failed } = openAsNobody(t, [want("http", `${port}`)]);
    assert.deepEqual(failed, [
      {
        code: "port-denied",
        what: `port ${port} needs more rights than this user has`,
        mend: `choose another port: --socket http=${port + 8000}, or allow it to everybody: sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}`,
      },
    ]);
  });
});

describe("an address that is not this machine's", () => {
  it("is refused where somebody has asked for it", (t) => {
    const [problem] = failHere(t, [want("http", "192.0.2.77:0")]);
    assert.equal(problem!.code, "address-not-here");
    assert.match(problem!.what, /192\.0\.2\.77 is no address of this machine/);
    assert.match(problem!.mend!, /^its addresses are .*127\.0\.0\.1.*--socket http=0$/);
    assert.equal(failHere(t, [want("http", "[fe80::1%nowhere]:0")])[0]!.code, "address-not-here");
  });

  it("is had all the same where the definition has it, as under systemd, with a warning", (t) => {
    for (const address of ["192.0.2.77:0", "[2001:db8::77]:0"]) {
      const { sockets, problems } = openHere(t, [want("http", address, { ofDefinition: true })]);
      assert.equal(sockets.length, 1);
      assert.match(problems[0]!.what, /is no address of this machine \(now\): nobody reaches the socket "http" there/);
    }
    const never = want("http", "192.0.2.77:0", { ofDefinition: true, freeBind: false });
    assert.equal(failHere(t, [never])[0]!.code, "address-not-here");
  });
});

describe("a path that cannot be had", () => {
  it("because it is no socket: nothing is deleted", (t) => {
    const folder = makeProject(t, { file: "precious", "folder/x": "" });
    const live = holdSocket({ path: join(folder, "live") });
    symlinkSync(join(folder, "live"), join(folder, "link"));
    const kinds = { file: "a file", folder: "a folder", link: "a symbolic link" };
    const before = look(folder);
    for (const [name, kind] of Object.entries(kinds)) {
      const [problem] = failHere(t, [want("s", `unix:${folder}/${name}`)]);
      assert.equal(problem!.code, "path-no-socket");
      assert.equal(problem!.what, `${folder}/${name} is ${kind}, no socket`);
    }
    assert.deepEqual(look(folder), before);
    assert.equal(readFileSync(join(folder, "file"), "utf8"), "precious");
    live.close();
  });

  it("because somebody listens on it, who is told", async (t) => {
    const path = join(makeProject(t, {}), "s.sock");
    const source = LISTEN(JSON.stringify(path));
    const { pid } = await startOther(t, source);
    const [problem] = failHere(t, [want("s", `unix:${path}`)]);
    assert.equal(problem!.code, "path-in-use");
    assert.match(
      problem!.what,
      new RegExp(`^${basename(process.execPath)} -e .* \\(pid ${pid}\\) listens on ${path}$`),
    );
    assert.match(problem!.mend!, /^end that process, or choose another path, for example --socket s=\S+s-2\.sock$/);
    assert.ok(lstatSync(path).isSocket());
  });

  it("because somebody listens on it whose queue is full, or receives datagrams there", (t) => {
    const folder = makeProject(t, {});
    const full = holdSocket({ path: join(folder, "full"), backlog: 1 });
    const waiting = [1, 2].map(() => holdSocket({ to: join(folder, "full") }));
    const datagrams = holdSocket({ path: join(folder, "datagrams"), type: "datagram" });
    for (const name of ["full", "datagrams"]) {
      const [problem] = failHere(t, [want("s", `unix:${folder}/${name}`)]);
      assert.equal(problem!.code, "path-in-use");
      assert.match(problem!.what, new RegExp(`\\(pid ${process.pid}\\) listens on`));
    }
    for (const socket of [full, datagrams, ...waiting]) socket.close();
  });

  it("because its folder is not there, is none, or is not this user's to write to", (t) => {
    const folder = makeProject(t, { file: "" });
    mkdirSync(join(folder, "closed"));
    chmodSync(folder, 0o755);
    chmodSync(join(folder, "closed"), 0o555);
    const at = (path: string): WantedSocket[] => [want("s", `unix:${join(folder, path)}`)];
    assert.deepEqual(failHere(t, at("a/b/s")), [
      {
        code: "no-folder",
        what: `${folder}/a/b/s cannot be made: there is no folder ${folder}/a/b`,
        mend: `mkdir -p ${folder}/a/b`,
      },
    ]);
    assert.equal(failHere(t, at("file/s"))[0]!.what, `${folder}/file/s cannot be made: ${folder}/file is no folder`);
    const [denied] = openAsNobody(t, at("closed/s")).failed;
    assert.equal(denied!.code, "path-denied");
    assert.equal(denied!.what, `${folder}/closed/s cannot be made: this user may not write to ${folder}/closed`);
    assert.equal(failHere(t, [want("s", "unix:/proc/s")])[0]!.code, "no-folder");
  });

  it("because it is too long", (t) => {
    const folder = makeProject(t, {});
    const before = process.cwd();
    t.after(() => process.chdir(before));
    const path = join(folder, "s".repeat(107 - folder.length - 1));
    assert.equal(openHere(t, [want("s", `unix:${path}`)]).sockets.length, 1);
    // From the root it is too long, but not as it is written.
    mkdirSync(join(folder, "d".repeat(100)));
    process.chdir(join(folder, "d".repeat(100)));
    assert.equal(openHere(t, [want("s", "unix:./short.sock")]).sockets[0]!.url, "./short.sock");
    const long: WantedSocket = {
      ...want("s", "unix:/x"),
      listen: [{ address: { type: "unix", path: `/tmp/${"s".repeat(103)}` }, isExplicit: true }],
    };
    const [problem] = failHere(t, [long]);
    assert.equal(problem!.code, "path-too-long");
    assert.match(
      problem!.what,
      /^the unix path is 108 bytes long, and 107 is the most that the kernel takes: \/tmp\/s/,
    );
  });
});

describe("when one cannot be had", () => {
  it("none is left open or on disk, whichever it is and whatever else was wanted", async (t) => {
    const { line: port } = await startOther(t, LISTEN("0"));
    const folder = makeProject(t, { file: "precious" });
    const good = (index: number): fc.Arbitrary<WantedSocket> =>
      fc.constantFrom(
        want(`g${index}`, "0"),
        want(`g${index}`, ["127.0.0.1:0", `unix:${folder}/g${index}`]),
        want(`g${index}`, "udp:0"),
        want(`g${index}`, `unix:${folder}/${index}`),
        want(`g${index}`, "unix:/run/g.sock", { ofDefinition: true, mode: "0600" }),
        want(`g${index}`, `unix:${folder}/none/x`, { optional: true }),
      );
    const bad = fc.constantFrom(
      want("bad", port),
      want("bad", ["0", port], { ofDefinition: true }),
      want("bad", `unix:${folder}/file`),
      want("bad", ["udp:0", `unix:${folder}/none/x`]),
      want("bad", "192.0.2.77:0"),
    );
    const before = [openDescriptors(), look(folder)];
    fc.assert(
      fc.property(fc.tuple(good(0), good(1), good(2)), bad, fc.nat(3), (goods, one, place) => {
        const problems = failHere(t, goods.toSpliced(place, 0, one), folder);
        assert.equal(problems.length, 1);
        assert.deepEqual([openDescriptors(), look(folder)], before);
      }),
      { numRuns: 60 },
    );
  });

  it("all that is wrong is told at once", (t) => {
    const problems = failHere(t, [want("a", "192.0.2.77:0"), want("b", "0"), want("c", "unix:/nowhere/c")]);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["address-not-here", "no-folder"],
    );
  });

  it("the others are had where it is optional", (t) => {
    const { sockets, problems } = openHere(t, [want("a", "192.0.2.77:0", { optional: true }), want("b", "0")]);
    assert.deepEqual(
      sockets.map(({ name }) => name),
      ["b"],
    );
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["address-not-here"],
    );
  });
});

// --- internal ---

/** One below 900, which is free, and so is the one 8000 higher. */
async function privilegedPort(): Promise<number> {
  for (let port = 899; port > 600; port--) {
    const server = createServer();
    server.listen(port + 8000, "127.0.0.1");
    const event = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]).catch(() => false);
    server.close();
    if (event) return port;
  }
  throw new Error("no port is free");
}

async function holdPort(t: TestContext, port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
}

/** What a folder has, and what each thing in it is. */
function look(folder: string): string[] {
  return readdirSync(folder).map((name) => {
    const { ino, mode, size } = lstatSync(join(folder, name));
    return `${name} ${ino} ${mode} ${size}`;
  });
}
