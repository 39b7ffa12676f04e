/** Without node:ffi a socket is looked up in the kernel's tables: they have to say what the socket itself says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { build } from "esbuild";
import { readSocket } from "../../src/activation/descriptor.ts";
import { findInTables } from "../../src/activation/socket-table.ts";
import { connectedPair, type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { makeProject } from "../helpers/project.ts";
import { flags, node } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-table-"));
after(() => rmSync(folder, { recursive: true }));

describe("the kernel's tables", () => {
  const path = join(folder, "a.sock");
  const kinds: [string, () => Promise<HeldSocket> | HeldSocket][] = [
    ["TCP over IPv4", () => holdSocket()],
    ["TCP over IPv6", () => holdSocket({ host: "::1" })],
    ["every IPv4 address", () => holdSocket({ host: "0.0.0.0" })],
    ["UDP over IPv4", () => holdSocket({ type: "datagram" })],
    ["UDP over IPv6", () => holdSocket({ type: "datagram", host: "::1" })],
    ["a unix path", () => holdSocket({ path })],
    ["an abstract unix name", () => holdSocket({ path: "@rouse-table-test" })],
    ["a connection", connection],
    ["a unix connection", () => holdSocket({ to: path })],
  ];
  for (const [title, open] of kinds) {
    it(`say the same of ${title}`, async () => {
      const socket = await open();
      const { backlog, peer, ...known } = readSocket(socket.fd)!;
      const { backlog: _, peer: end, ...found } = findInTables(socket.fd)!;
      assert.deepEqual(found, known);
      // Of a unix socket they do not say where its other end is.
      if (known.family !== "unix") assert.deepEqual(end, peer);
    });
  }

  it("know nothing of a unix datagram socket but that it is none to serve", () => {
    const socket = holdSocket({ path: join(folder, "d.sock"), type: "datagram" });
    assert.equal(findInTables(socket.fd)!.type, undefined);
    assert.match(findInTables(socket.fd)!.kind, /unix datagram/);
  });
});

describe("without node:ffi", () => {
  it("a listening socket on descriptor 0 is inetd's, and a connected one is not", async (t) => {
    const project = makeProject(t, {});
    const outfile = join(project, "program.cjs");
    const source = `import { activate } from "rouse"; const { source } = activate({ fallback: { http: 0 } }); console.log(source);`;
    const index = join(import.meta.dirname, "../../src/index.ts");
    await build({
      stdin: { contents: source, resolveDir: project },
      bundle: true,
      platform: "node",
      outfile,
      alias: { rouse: index },
    });
    // Node's permissions keep node:ffi away, as a Node before 26 does.
    const start = ({ fd }: HeldSocket) =>
      spawnSync(node, [...flags, "--permission", "--allow-fs-read=*", outfile], {
        stdio: [fd, "pipe", "pipe"],
        encoding: "utf8",
      });
    const listener = holdSocket();
    assert.equal(start(listener).stdout, "inetd\n", start(listener).stderr);
    assert.equal(start(await connection()).stdout, "bind\n");
  });
});

// --- internal ---

async function connection(): Promise<HeldSocket> {
  const { passed, client } = await connectedPair();
  client.unref();
  return passed;
}
