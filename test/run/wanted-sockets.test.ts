/** What somebody writes after --socket and --port, and what `rouse run` makes of it beside a definition. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatAddress } from "../../src/activation/address.ts";
import { resolveSockets } from "../../src/definition/sockets.ts";
import { type Problem, RouseError } from "../../src/problem.ts";
import { socketUrl } from "../../src/run/sockets/open/url.ts";
import { wantedSockets } from "../../src/run/sockets/wanted-sockets.ts";
import type { WantedSocket } from "../../src/run/sockets.ts";
import type { Service } from "../../src/service.ts";

type Definition = Pick<Service, "sockets">;
const service: Definition = {
  sockets: resolveSockets({
    http: { listen: 80, noDelay: true, backlog: 7 },
    https: { listen: ["tcp:443", "tcp:[::1]:8443"] },
    stats: "udp:8125",
    admin: { listen: "unix:/run/lunchd.sock", mode: "0600", group: "adm", optional: true },
    pair: { listen: ["127.0.0.1:90", "[::1]:90", "unix:/run/pair.sock"] },
  }).sockets,
};
const one = { sockets: resolveSockets({ shop: 80 }).sockets };
const none = { sockets: [] as Service["sockets"] };

describe("without a definition", () => {
  const spellings: [text: string, name: string, address: string, scheme?: string][] = [
    ["http=8080", "http", "8080"],
    ["http=127.0.0.1:8080", "http", "127.0.0.1:8080"],
    ["http=[::1]:0", "http", "[::1]:0"],
    ["stats=udp:8125", "stats", "udp:8125"],
    ["s=./x.sock", "s", "unix:./x.sock"],
    ["s=unix:/run/x.sock", "s", "unix:/run/x.sock"],
    ["s=unix:x.sock", "s", "unix:x.sock"],
    ["s=/run/a=b.sock", "s", "unix:/run/a=b.sock"],
    // systemfd's.
    ["8080", "unknown", "127.0.0.1:8080"],
    ["0.0.0.0:8080", "unknown", "0.0.0.0:8080"],
    ["tcp::8080", "unknown", "127.0.0.1:8080"],
    ["tcp::[::1]:8080", "unknown", "[::1]:8080"],
    ["http::5000", "http", "127.0.0.1:5000", "http"],
    ["https::0.0.0.0:5443", "https", "0.0.0.0:5443", "https"],
    ["udp::1567", "unknown", "udp:127.0.0.1:1567"],
    ["udp::[::1]:1567", "unknown", "udp:[::1]:1567"],
    ["./x.sock", "unknown", "unix:./x.sock"],
    ["/tmp/a=b:c.sock", "unknown", "unix:/tmp/a=b:c.sock"],
    ["unix::x.sock", "unknown", "unix:x.sock"],
    ["unix::/tmp/a=b.sock", "unknown", "unix:/tmp/a=b.sock"],
    // Both.
    ["web=https::8443", "web", "127.0.0.1:8443", "https"],
    ["udp:8125", "unknown", "udp:8125"],
  ];
  for (const [text, name, address, scheme] of spellings) {
    it(`--socket ${text} is ${name} at ${address}`, () => {
      const [socket] = options([text]);
      assert.deepEqual([socket!.name, places(socket!), socket!.scheme], [name, [`!${address}`], scheme]);
    });
  }

  it("every one stays where it stands, also those of one name: programs count them", () => {
    const all = options(["http::8091", "s=./x", "http::8092", "9000"]);
    assert.deepEqual(
      all.map((socket) => [socket.name, ...places(socket)]),
      [
        ["http", "!127.0.0.1:8091"],
        ["s", "!unix:./x"],
        ["http", "!127.0.0.1:8092"],
        ["unknown", "!127.0.0.1:9000"],
      ],
    );
  });

  it("--port is a socket at every address", () => {
    assert.deepEqual(wantedSockets(undefined, { sockets: [], ports: ["http=0"], accept: false }).map(places), [["!0"]]);
  });

  it("--accept is for all of them, with systemd's limit", () => {
    const [socket] = wantedSockets(undefined, { sockets: ["7"], ports: [], accept: true });
    assert.deepEqual([socket!.accept, socket!.limits], ["connection", { connections: 64, perSource: undefined }]);
    assert.match(fail(undefined, ["udp::7"], [], true)[0]!.what, /--accept .* udp:127\.0\.0\.1:7 takes datagrams/);
  });

  it("no socket at all is allowed", () => assert.deepEqual(options([]), []));

  const wrong: [text: string, what: RegExp, mend: string][] = [
    ["s=x.sock", /^--socket s=x\.sock: "x\.sock" is no address/, "for a unix socket write --socket s=./x.sock"],
    ["http=localhost:80", /"localhost" is no IP address/, "write --socket http=127.0.0.1:80"],
    ["http://localhost:8080/", /is a URL/, "write --socket http=8080"],
    ["web=http://127.0.0.1:8080", /is a URL/, "write --socket web=8080"],
    ["s=udp://localhost:81", /is a URL/, "write --socket s=udp:81"],
    ["http:8080", /"http" is no IP address/, "write --socket http=8080"],
    ["::1:8080", /is no address/, "write --socket [::1]:8080"],
    ["htp::80", /"htp" is no type of socket: they are tcp, http, https, unix, udp/, "did you mean http::80?"],
    ["HTTP::80", /"HTTP" is no type of socket/, "did you mean http::80?"],
    ["sctp::80", /"sctp" is no type of socket/, "did you mean tcp::80?"],
    ["websocket::80", /"websocket" is no type/, "write NAME=ADDRESS, for example http=8080"],
    ["http=99999", /port 99999 is out of range/, "for example --socket http=8080"],
    ["=8080", /"" is no socket name/, "for example --socket http=8080"],
    ["a b=8080", /"a b" is no socket name/, "for example --socket http=8080"],
    ["connection=8080", /"connection" is a socket name that systemd itself gives a meaning/, "choose another name"],
    ["http=", /"" is no address/, "for example --socket http=8080"],
    ["", /"" is no address/, "for example --socket http=8080"],
    [
      `s=/tmp/${"x".repeat(103)}`,
      /the unix path is 108 bytes long; 107 is the most/,
      "for example --socket s=/tmp/s.sock",
    ],
    ["tcp::", /is no/, "for example --socket http=8080"],
  ];
  for (const [text, what, mend] of wrong) {
    it(`--socket ${text.slice(0, 30)} is refused, and what was meant is told`, () => {
      const [problem, ...more] = fail(undefined, [text]);
      assert.deepEqual(more, []);
      assert.match(problem!.what, what);
      assert.ok(problem!.what.startsWith(`--socket ${text}`), problem!.what);
      assert.equal(problem!.mend?.slice(0, mend.length), mend);
    });
  }

  it("a --port that is no NAME=PORT is refused", () => {
    for (const text of ["http", "http=http", "8080", "http=70000", "a b=80"]) {
      const [problem] = fail(undefined, [], [text]);
      assert.match(problem!.what, new RegExp(`^--port ${text}: `));
      assert.match(problem!.mend!, /http=8080/);
    }
  });

  it("one address for two is refused, however it is written, and any free port twice is not", () => {
    const pairs = [
      ["http=8080", "web=127.0.0.1:8080"],
      ["a=0.0.0.0:80", "a=127.0.0.1:80"],
      ["s=./x.sock", `t=${process.cwd()}/x.sock`],
    ];
    for (const two of pairs) {
      const [problem, ...more] = fail(undefined, two);
      assert.equal(problem!.code, "address-taken");
      assert.deepEqual(more, []);
    }
    assert.equal(options(["http=0", "web=0", "u=udp:80", "t=80"]).length, 4);
  });

  it("one name for connections and datagrams is refused, but for those without a name", () => {
    assert.match(fail(undefined, ["a=1", "a=udp:2"])[0]!.what, /"a" mixes UDP with addresses for connections/);
    assert.equal(options(["1", "udp::2"]).length, 2);
  });
});

describe("with a definition", () => {
  it("its sockets are wanted as they are", () => {
    assert.deepEqual(
      of(service).map((socket) => [socket.name, ...places(socket)]),
      [
        ["http", "80"],
        ["https", "443", "[::1]:8443"],
        ["stats", "udp:8125"],
        ["admin", "unix:/run/lunchd.sock"],
        ["pair", "127.0.0.1:90", "[::1]:90", "unix:/run/pair.sock"],
      ],
    );
    const [http, , , admin] = of(service);
    assert.deepEqual([http!.noDelay, http!.backlog, http!.mode], [true, 7, undefined]);
    assert.deepEqual([admin!.mode, admin!.group, admin!.optional], ["0600", "adm", true]);
  });

  const moved: [sockets: string[], ports: string[], name: string, at: string[]][] = [
    [[], ["http=8080"], "http", ["!8080"]],
    [[], ["http=0"], "http", ["!0"]],
    [[], ["http=80"], "http", ["!80"]],
    [[], ["pair=91"], "pair", ["!127.0.0.1:91", "![::1]:91", "unix:/run/pair.sock"]],
    [["http=127.0.0.1:81"], [], "http", ["!127.0.0.1:81"]],
    [["http::81"], [], "http", ["!127.0.0.1:81"]],
    [["https=1443", "https=[::1]:1444"], [], "https", ["!1443", "![::1]:1444"]],
    [["stats=udp:81"], [], "stats", ["!udp:81"]],
    [["stats=udp::81"], [], "stats", ["!udp:127.0.0.1:81"]],
    [["admin=./a.sock"], [], "admin", ["!unix:./a.sock"]],
    [["admin=8081"], [], "admin", ["!8081"]],
  ];
  for (const [sockets, ports, name, at] of moved) {
    it(`${[...sockets, ...ports].join(" and ")} puts ${name} at ${at.join(" and ")}`, () => {
      const all = of(service, sockets, ports);
      assert.deepEqual(places(all.find((socket) => socket.name === name)!), at);
      const others = (list: WantedSocket[]): WantedSocket[] => list.filter((socket) => socket.name !== name);
      assert.deepEqual(others(all), others(of(service)));
    });
  }

  it("one that becomes a unix socket is for its user and group, as in a definition", () => {
    assert.equal(of(service, ["http=./h.sock"])[0]!.mode, "0660");
  });

  it("its only socket needs no name, whatever systemfd's type says", () => {
    for (const text of ["8080", "http::8080", "tcp::8080"]) {
      assert.deepEqual(of(one, [text]).map(places), [["!127.0.0.1:8080"]]);
    }
    assert.equal(of(one, ["https::8080"])[0]!.scheme, "https");
  });

  const wrong: [on: Definition, sockets: string[], ports: string[], what: string, mend: string | undefined][] = [
    [
      service,
      ["htp=8080"],
      [],
      'no socket is named "htp": the definition\'s are http, https, stats, admin, pair',
      'did you mean "http"?',
    ],
    [
      service,
      [],
      ["nothing=8080"],
      'no socket is named "nothing": the definition\'s are http, https, stats, admin, pair',
      "write one of them in front, for example --socket http=8080",
    ],
    [
      service,
      ["8080"],
      [],
      "a socket without a name: the definition's are http, https, stats, admin, pair",
      "write one of them in front, for example --socket http=8080",
    ],
    [none, ["http=8080"], [], 'no socket is named "http": the definition has none', undefined],
    [
      service,
      [],
      ["https=1443"],
      '--port https=1443 cannot say which: the socket "https" is at 443 and [::1]:8443',
      "write where it shall be instead, for example --socket https=1443",
    ],
    [
      service,
      [],
      ["admin=80"],
      '--port admin=80 cannot say which: the socket "admin" is at unix:/run/lunchd.sock',
      "write where it shall be instead, for example --socket admin=80",
    ],
    [service, [], ["http=1", "http=2"], 'the socket "http" has --port twice', "leave one of them out"],
    [service, ["http=1"], ["http=2"], 'the socket "http" has both --socket and --port', "leave one of them out"],
    [
      service,
      ["stats=81"],
      [],
      'the socket "stats" takes datagrams, and 81 is for connections',
      "write --socket stats=udp:81",
    ],
    [
      service,
      ["http=udp:81"],
      [],
      'the socket "http" takes connections, and udp:81 is for datagrams',
      "write --socket http=81",
    ],
    [
      service,
      [],
      ["http=443"],
      'two sockets want one address: "http" on 443 and "https" on 443',
      "give one of them another port or path",
    ],
  ];
  for (const [on, sockets, ports, what, mend] of wrong) {
    it(`${[...sockets, ...ports].join(" and ")} is refused: ${what}`, () => {
      const [problem, ...more] = fail(on, sockets, ports);
      assert.deepEqual([problem!.what, problem!.mend, more], [what, mend, []]);
    });
  }

  it("--accept is refused: the definition says that", () => {
    assert.match(fail(service, [], [], true)[0]!.mend!, /accept: "connection"/);
  });

  it("all that is wrong is told at once", () => {
    assert.equal(fail(service, ["htp=8080", "http=x"], ["stat=1"]).length, 3);
  });
});

describe("the URL of a socket", () => {
  const tcp = (port: number, host?: string) => ({ type: "tcp", host, port }) as const;
  const cases: [name: string, address: Parameters<typeof socketUrl>[0]["address"], url: string, more?: object][] = [
    ["http", tcp(8080), "http://localhost:8080/"],
    ["http", tcp(80), "http://localhost/"],
    ["http", tcp(8080, "0.0.0.0"), "http://localhost:8080/"],
    ["http", tcp(8080, "::"), "http://localhost:8080/"],
    ["web", tcp(1234, "127.0.0.1"), "http://127.0.0.1:1234/"],
    ["www", tcp(1234, "::1"), "http://[::1]:1234/"],
    ["https", tcp(443), "https://localhost/"],
    ["tls", tcp(1234), "https://localhost:1234/"],
    ["shop", tcp(8443), "https://localhost:8443/"],
    ["shop", tcp(8080), "http://localhost:8080/"],
    ["shop", tcp(3456), "http://localhost:3456/", { insteadOf: tcp(80) }],
    ["shop", tcp(3456), "https://localhost:3456/", { insteadOf: tcp(443) }],
    ["unknown", tcp(3456, "127.0.0.1"), "tcp://127.0.0.1:3456"],
    ["unknown", tcp(3456), "http://localhost:3456/", { scheme: "http" }],
    ["admin", tcp(7000, "fe80::1%eth0"), "tcp://[fe80::1%25eth0]:7000"],
    ["stats", { type: "udp", host: undefined, port: 8125 }, "udp://127.0.0.1:8125"],
    ["http", { type: "unix", path: "/run/x.sock" }, "/run/x.sock"],
  ];
  for (const [name, address, url, more] of cases) {
    it(`is ${url} for ${name} at ${formatAddress(address)}`, () => {
      assert.equal(socketUrl({ name, address, insteadOf: undefined, scheme: undefined, ...more }), url);
    });
  }
});

// --- internal ---

function options(sockets: readonly string[]): WantedSocket[] {
  return wantedSockets(undefined, { sockets, ports: [], accept: false });
}

function of(definition: Definition, sockets: readonly string[] = [], ports: readonly string[] = []): WantedSocket[] {
  return wantedSockets(definition, { sockets, ports, accept: false });
}

function fail(
  definition: Definition | undefined,
  sockets: readonly string[],
  ports: readonly string[] = [],
  accept = false,
): readonly Problem[] {
  try {
    wantedSockets(definition, { sockets, ports, accept });
  } catch (error) {
    if (error instanceof RouseError) return error.problems;
    throw error;
  }
  assert.fail("nothing is wrong with it");
}

/** "!" stands before what was said on the command line. */
function places({ listen }: WantedSocket): string[] {
  return listen.map(({ address, isExplicit }) => `${isExplicit ? "!" : ""}${formatAddress(address)}`);
}
