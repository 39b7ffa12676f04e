/** Adoption on a Node without node:ffi, which cannot ask what it was passed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { node20 } from "../helpers/old-node.ts";
import { root } from "../helpers/rouse.ts";
import { ask, hold, stop } from "./adopted.ts";
import { node, start } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-adopt-old-"));
after(() => rmSync(folder, { recursive: true }));

const nodes: Record<string, (t: TestContext) => Promise<readonly string[] | undefined>> = {
  "Node 20": async (t) => {
    const path = await node20(t);
    return path === undefined ? undefined : [path];
  },
  "this Node without node:ffi": async () => [node, "--no-experimental-ffi"],
};

const adoption = join(folder, "adopt.mjs");
const server = join(folder, "server.cjs");

before(async () => {
  const entryPoints = [fileURLToPath(new URL("../../src/adopt.ts", import.meta.url))];
  await build({ entryPoints, outfile: adoption, bundle: true, platform: "node", format: "esm", target: "node20" });
  writeFileSync(
    server,
    `(async () => {
       for (const port of [3000, 3001, 3002]) {
         const app = require(${JSON.stringify(join(root, "node_modules/fastify"))})();
         app.get("/", async () => "from " + port);
         await app.listen({ port, host: "127.0.0.1" });
         const address = app.server.address();
         console.log(port + " " + (address.port ?? address));
       }
     })();`,
  );
});

for (const [index, [title, command]] of Object.entries(nodes).entries()) {
  it(`serves TCP and unix sockets, and tells their address, on ${title}`, async (t) => {
    const [program, ...options] = (await command(t)) ?? [];
    if (program === undefined) return;
    const path = join(folder, `${index}.sock`);
    const name = `rouse-test-${process.pid}-${index}`;
    const tcp = [hold(), hold({ host: "::1" })] as const;
    const running = start(program, [...options, "--import", adoption, server], {
      sockets: { tcp, unix: hold({ path }), abstract: hold({ path: `@${name}` }) },
      env: { ROUSE_ADOPT: "tcp=3000 unix=3001 abstract=3002" },
    });
    await running.printed("3002 ");
    assert.equal(await ask(tcp[0]), "from 3000");
    assert.equal(await ask(path), "from 3001");
    assert.equal(await ask(`\0${name}`), "from 3002");
    const { code, stdout } = await stop(running);
    assert.deepEqual([code, stdout], [0, `3000 ${tcp[0].port}\n3001 ${path}\n3002 \0${name}\n`]);
  });
}
