/** Programs that serve with the installed package rouse-activation, on the oldest Node and on the newest. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { build } from "esbuild";
import { serveOnDemand, startProgram } from "../helpers/on-demand.ts";
import { holdSocket } from "../helpers/passed-socket.ts";
import { has } from "../helpers/tools.ts";
import { installActivation, nodes } from "./activation.ts";

const activation = installActivation();
const { folder, installed, write } = activation;
after(() => activation[Symbol.dispose]());

const SERVER = `
  const server = createServer((request, response) => {
    if (request.url !== "/slow") return response.end("served by " + process.version);
    process.kill(process.pid, "SIGTERM"); // What is being answered now must be answered whole.
    setTimeout(() => response.end("slow but whole"), 300);
  });
  activate({ fallback: { http: 0 } }).listen(server, "http");`;

const programs = {
  import: [
    "server.mjs",
    `import { createServer } from "node:http"; import { activate } from "rouse-activation"; ${SERVER}`,
  ],
  require: [
    "server.cjs",
    `const { createServer } = require("node:http"); const { activate } = require("rouse-activation"); ${SERVER}`,
  ],
} as const;

const UNAWARE = `http.createServer((request, response) => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => response.end("slow but whole"), 300);
  }).listen(3000);`;

/** The arguments of node. */
const adopting: Readonly<Record<string, readonly string[]>> = {
  "--import": ["--import", "rouse-activation/adopt", join(folder, "unaware.mjs")],
  "--require": ["--require", "rouse-activation/adopt", join(folder, "unaware.mjs")],
  "a first import": [join(folder, "adopts.mjs")],
};

for (const [name, text] of Object.values(programs)) write(name, text);
write("unaware.mjs", `import http from "node:http"; ${UNAWARE}`);
write("adopts.mjs", `import "rouse-activation/adopt"; import http from "node:http"; ${UNAWARE}`);

for (const [title, find] of Object.entries(nodes)) {
  describe(title, () => {
    for (const [how, [file]] of Object.entries(programs)) {
      test(`serves by ${how} under systemd-socket-activate, and SIGTERM drains it`, async (t) => {
        const node = await find(t);
        if (node === undefined || !has(t, "systemd-socket-activate", "systemd")) return;
        await using service = await serveOnDemand(node, [join(folder, file)]);
        assert.match(await service.get("/"), /^served by v2\d/);
        assert.equal(await service.get("/slow"), "slow but whole");
        const { code, stderr } = await service.ended;
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(stderr, /warning/i);
      });
    }

    for (const format of ["esm", "cjs"] as const) {
      test(`serves when a bundler has put it into one ${format} file`, async (t) => {
        const node = await find(t);
        if (node === undefined) return;
        const outfile = join(folder, `bundled-${format}.${format === "esm" ? "mjs" : "cjs"}`);
        const logLevel = "warning"; // There should be none.
        const entryPoints = [join(folder, programs.import[0])];
        const { warnings } = await build({ entryPoints, outfile, bundle: true, platform: "node", format, logLevel });
        assert.deepEqual(warnings, []);
        const http = holdSocket();
        const { child, ended } = startProgram(node, [outfile], { sockets: { http } });
        assert.match(await (await fetch(`http://127.0.0.1:${http.port}/`)).text(), /^served by/);
        child.kill("SIGTERM");
        http.close();
        assert.deepEqual(await ended, { code: 0, stdout: "", stderr: "" });
      });
    }

    for (const [how, args] of Object.entries(adopting)) {
      test(`serves a program that has never heard of it, by ${how}`, async (t) => {
        const node = await find(t);
        if (node === undefined || !has(t, "systemd-socket-activate", "systemd")) return;
        await using service = await serveOnDemand(node, args, { cwd: folder });
        assert.equal(await service.get("/slow"), "slow but whole");
        const { code, stderr } = await service.ended;
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(stderr, /warning/i);
      });
    }

    test("serves by two workers, which SIGTERM to their supervisor drains", async (t) => {
      const node = await find(t);
      if (node === undefined) return;
      const program = write(
        "workers.mjs",
        `import { createServer } from "node:http"; import { activate, supervise } from "rouse-activation";
         await supervise({ workers: 2 }, async () => {
           const server = createServer((request, response) => response.end(String(process.pid)));
           await activate({ fallback: { http: 0 } }).listen(server, "http");
         });`,
      );
      const http = holdSocket();
      const { child, ended } = startProgram(node, [program], { sockets: { http } });
      const ask = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${http.port}/`)).text();
      assert.notEqual(await ask(), String(child.pid));
      child.kill("SIGTERM");
      const { code, stderr } = await ended;
      http.close();
      assert.deepEqual([code, stderr], [0, ""]);
    });

    test("has one state for import, require and a second copy", async (t) => {
      const node = await find(t);
      if (node === undefined) return;
      cpSync(installed, join(folder, "framework/node_modules/rouse-activation"), { recursive: true });
      const program = write(
        "copies.mjs",
        `import { createRequire } from "node:module";
         import * as imported from "rouse-activation";
         const copies = ["./copies.mjs", "./framework/index.js"].map((from) =>
           createRequire(new URL(from, import.meta.url))("rouse-activation"));
         const socket = imported.activate().socket("http");
         console.log(socket.fd, copies.every((copy) => copy.activate().socket("http") === socket));
         console.log(copies.every((copy) => copy.ActivationError === imported.ActivationError));
         const namesOf = (module) => String(Object.keys(module).filter((name) => !/default|module/.test(name)).sort());
         console.log(copies.every((copy) => namesOf(copy) === namesOf(imported)));
         process.exit();`,
      );
      const http = holdSocket();
      const { stdout, stderr } = await startProgram(node, [program], { sockets: { http } }).ended;
      http.close();
      assert.deepEqual([stdout, stderr], ["3 true\ntrue\ntrue\n", ""]);
    });
  });
}
