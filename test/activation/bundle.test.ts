import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { holdSocket } from "../helpers/passed-socket.ts";
import { flags, node, start } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-bundle-"));
after(() => rmSync(folder, { recursive: true }));

async function bundle(source: string, name: string, more: BuildOptions = {}) {
  const result = await build({
    stdin: { contents: source, resolveDir: folder, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    alias: { rouse: fileURLToPath(new URL("../../src/index.ts", import.meta.url)) },
    outfile: join(folder, name),
    metafile: true,
    ...more,
  });
  const [output] = Object.values(result.metafile!.outputs);
  return { path: join(folder, name), bytes: output!.bytes, imports: output!.imports.map(({ path }) => path) };
}

const SERVER = `import { createServer } from "node:http";
  const server = createServer((request, response) => response.end("hello"));`;
const ACTIVATED = `import { activate } from "rouse"; ${SERVER}
  activate({ fallback: { http: 0 } }).listen(server, "http").then(() => console.log("listening"));`;

describe("the runtime in a bundle", () => {
  it("reaches nothing but node:", async () => {
    const activated = await bundle(ACTIVATED, "with.cjs", { target: "node26" });
    for (const path of activated.imports) assert.match(path, /^node:/);
  });

  it("prints one line and exits with 1 for an uncaught error, from CommonJS", async () => {
    const thrown = await bundle(`import { activate } from "rouse"; activate();`, "thrown.cjs");
    const rejected = await bundle(
      `import { activate } from "rouse"; activate().listen(null as any, "http");`,
      "rejected.cjs",
    );
    const cases = [
      {
        path: thrown.path,
        env: { LISTEN_FDS: "abc" },
        message: /^thrown\.cjs: LISTEN_FDS="abc" is no number[^\n]*\n$/,
      },
      { path: rejected.path, env: {}, message: /^rejected\.cjs: no socket is named "http"[^\n]*\n$/ },
    ];
    for (const { path, env, message } of cases) {
      const { code, stdout, stderr } = await start(node, [...flags, path], { env }).ended;
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, message);
    }
  });

  it("takes the name of the service, and backlogs that the kernel does not tell, from the build", async () => {
    const path = join(folder, "built.sock");
    const socket = holdSocket({ path });
    const define = { ROUSE_BUILT: JSON.stringify({ name: "lunchd", sockets: { admin: { backlog: 33 } } }) };
    const source = `import { activate } from "rouse"; console.log(activate().socket("admin").backlog); activate().socket("x");`;
    const built = await bundle(source, "built.cjs", { define });
    const { stdout, stderr } = await start(node, [...flags, built.path], { sockets: { admin: socket } }).ended;
    socket.close();
    assert.equal(stdout, "33\n");
    assert.match(stderr, /^lunchd: no socket is named "x"/);
  });

  for (const [title, command, args] of [
    ["this Node without node:ffi", node, ["--no-experimental-ffi"]],
    ["the oldest Node that Rouse runs on", oldNode(), []],
  ] as const) {
    it(`serves passed sockets on ${title}`, {
      skip: command === undefined && "no Node 20 to 25 on the PATH",
    }, async () => {
      const socket = holdSocket();
      const activated = await bundle(ACTIVATED, "old.cjs");
      const program = start(command!, [...args, activated.path], { sockets: { http: socket } });
      await program.printed("listening");
      assert.equal(await (await fetch(`http://127.0.0.1:${socket.port}/`)).text(), "hello");
      program.child.kill();
      socket.close();
      assert.deepEqual(await program.ended, { code: 0, signal: null, stdout: "listening\n", stderr: "" });
    });
  }
});

/** A Node on the PATH that has no node:ffi. */
function oldNode(): string | undefined {
  try {
    const version = execFileSync("node", ["--version"], { encoding: "utf8" });
    return /^v2[0-5]\./.test(version) ? "node" : undefined;
  } catch {
    return undefined;
  }
}
