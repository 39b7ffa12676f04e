import assert from "node:assert/strict";
import { chmodSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { RouseError } from "../../src/problem.ts";
import { compileAddon } from "../helpers/compile-c.ts";
import { connectedPair, holdSocket } from "../helpers/passed-socket.ts";
import { has } from "../helpers/tools.ts";
import { develop, outputOf, startBuilt } from "./built.ts";

const problemsOf = async (building: Promise<unknown>) => {
  const error = await building.then(
    () => assert.fail("it was built"),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof RouseError, String(error));
  return error.problems;
};

const answer = async (port: number): Promise<string> => await (await fetch(`http://127.0.0.1:${port}/`)).text();

describe("a program under development", () => {
  it("has the name of its entry, and the arguments behind it", async (t) => {
    const server = `console.log(JSON.stringify([process.argv.slice(1), __filename, require.main === module,
      require.main!.filename, import.meta.main, typeof require.resolve("node:fs")]));`;
    const { folder, builder } = await develop(t, { server });
    const { stdout } = await startBuilt(t, await builder.build(), { args: ["--port", "1"] }).ended;
    const entry = join(folder, "src/server.ts");
    assert.deepEqual(JSON.parse(stdout), [[entry, "--port", "1"], entry, true, entry, true, "string"]);
  });

  for (const [form, tail] of [
    ["CommonJS", ""],
    ["a top-level await", "await 0; export {};"],
  ] as const) {
    it(`finds what lies beside each of its sources: ${form}`, async (t) => {
      const server = `#!/usr/bin/env node
        "use strict" // a directive
        import { readFileSync } from "node:fs";
        import { createRequire } from "node:module";
        import * as lib from "../lib/place.ts";
        import old from "old";
        console.log(readFileSync(import.meta.dirname + "/page.txt", "utf8"), readFileSync(new URL("./page.txt", import.meta.url), "utf8"));
        console.log(lib.page, lib.main, import.meta.main, createRequire(import.meta.url)("./data.json").a);
        console.log(old, import.meta.resolve("./x.js").endsWith("/src/x.js"), import.meta.resolve("old").endsWith("/old/index.js"));
        import("./later.ts").then(({ later }) => console.log(later));
        ${tail}`;
      const printed = await outputOf(t, server, {
        "src/page.txt": "page",
        "src/data.json": { a: 5 },
        "src/later.ts": `import { basename } from "node:path"; export const later = basename(import.meta.filename);`,
        "lib/place.ts": `import { dirname, join } from "node:path";
          import { fileURLToPath } from "node:url";
          import { readFileSync } from "node:fs";
          const __dirname = dirname(fileURLToPath(import.meta.url));
          export const page = readFileSync(join(__dirname, "lib.txt"), "utf8");
          export const main = import.meta.main;`,
        "lib/lib.txt": "lib",
        "node_modules/old/package.json": { name: "old", main: "index.js" },
        "node_modules/old/index.js": `module.exports = require("fs").readFileSync(__dirname + "/old.txt", "utf8") + require("path").basename(__filename);`,
        "node_modules/old/old.txt": "old",
      });
      assert.equal(printed, "page page\nlib false true 5\noldindex.js true true\nlater.ts\n");
    });
  }

  it("may be CommonJS, and read a file that only its run names", async (t) => {
    const server = `const { join } = require("node:path");
      const name = "plugin";
      console.log(require(join(__dirname, name)).value, require("./" + name + ".js").value, require.main === module);`;
    const files = { "src/plugin.js": "exports.value = 7;" };
    const manifest = { type: "commonjs" };
    assert.equal(await outputOf(t, server, files, { manifest }), "7 7 true\n");
  });

  it("keeps the strictness of its files, and of its dependencies", async (t) => {
    const files = {
      "src/strict.cjs": `/* one */ // two\n"use strict"\nmodule.exports = [__dirname.length > 0, (function () { return this === undefined; })()];`,
      "src/sloppy.cjs": `module.exports = [__dirname.length > 0, (function () { return this === undefined; })()];`,
    };
    const server = `import strict from "./strict.cjs"; import sloppy from "./sloppy.cjs"; console.log(strict.join(), sloppy.join());`;
    assert.equal(await outputOf(t, server, files), "true,true true,false\n");
  });

  it("shows the file, the line and the source of a crash, which may have changed since", async (t) => {
    const server = `interface Guest { name: string }

import { seat } from "../lib/seat.ts";
const place = import.meta.dirname;
setTimeout(() => seat({ name: place }), 300);
console.log("waits");
`;
    const { folder, builder } = await develop(t, { server }, { "lib/seat.ts": SEAT });
    const program = startBuilt(t, await builder.build());
    await program.printed("waits");
    for (let count = 0; count < 3; count++) {
      writeFileSync(join(folder, "lib/seat.ts"), `// ${count}\n\n\n${SEAT}`);
      await builder.build();
    }
    const { code, stderr } = await program.ended;
    assert.equal(code, 1);
    assert.ok(stderr.startsWith(`${folder}/lib/seat.ts:4\n  throw new TypeError(\`no seat for \${name}\`);\n`), stderr);
    assert.match(stderr, /TypeError: no seat for /);
    assert.ok(stderr.includes(`(${folder}/lib/seat.ts:4:9)`), stderr);
    assert.ok(stderr.includes(`${folder}/src/server.ts:5:18`), stderr);
  });

  it("ends with exit code 1 where its top-level await is rejected", async (t) => {
    const { folder, builder } = await develop(t, { server: `\nawait Promise.reject(new Error("no database"));` });
    const { code, stderr } = await startBuilt(t, await builder.build()).ended;
    assert.equal(code, 1);
    assert.match(stderr, /Error: no database/);
    assert.ok(stderr.includes(`${folder}/src/server.ts:2:`), stderr);
  });

  it("starts itself again as a cluster, and its own files as children and workers", async (t) => {
    const server = `import cluster from "node:cluster";
      import { fork } from "node:child_process";
      import { Worker } from "node:worker_threads";
      enum Kind { Primary = "primary", Worker = "worker" }
      if (cluster.isPrimary) {
        const say = (text: string) => console.log(Kind.Primary, text);
        cluster.fork().on("exit", (code) => {
          say("cluster " + code);
          fork(new URL("./child.cjs", import.meta.url)).on("exit", (forked) => {
            say("fork " + forked);
            new Worker(new URL("./thread.cjs", import.meta.url)).on("exit", (thread) => say("thread " + thread));
          });
        });
      } else {
        console.log(Kind.Worker);
        process.exit(3);
      }`;
    const files = { "src/child.cjs": "process.exit(4);", "src/thread.cjs": "process.exit(5);" };
    const printed = await outputOf(t, server, files);
    assert.equal(printed, "worker\nprimary cluster 3\nprimary fork 4\nprimary thread 5\n");
  });

  it("is told what the definition says, as an executable is", async (t) => {
    const server = `import { createServer } from "node:http"; import { activate } from "rouse";
      const activation = activate();
      await activation.listen(createServer((_, response) => response.end("x")), "http");
      await activation.listen(createServer(), "admin");
      console.log(activation.source, activation.sockets("http")[0]!.name, "ready");`;
    const sockets = { http: { listen: 80, backlog: 7 }, admin: { listen: "unix:/run/x.sock", optional: true } };
    const { builder } = await develop(t, { server, definition: { sockets, idleExit: "1s" } });
    const built = await builder.build();
    assert.equal(built.usesRuntime, true);
    const http = holdSocket();
    t.after(() => http.close());
    const program = startBuilt(t, built, { sockets: { http } });
    await program.printed("systemd http ready");
    // After a second without a visitor.
    assert.equal((await program.ended).code, 0);
  });

  it("adopts", async (t) => {
    const server = `import { createServer } from "node:http";
      createServer((_, response) => response.end("adopted")).listen(3000, () => console.log("listens"));`;
    const { builder } = await develop(t, { server, definition: { sockets: { http: { listen: 80, adopt: 3000 } } } });
    const http = holdSocket();
    t.after(() => http.close());
    const program = startBuilt(t, await builder.build(), { sockets: { http } });
    await program.printed("listens");
    assert.equal(await answer(http.port), "adopted");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("has workers that a reload starts from what has been built by then", async (t) => {
    const server = (version: string) => `import { createServer } from "node:http"; import { activate } from "rouse";
      console.log("${version} serves", process.argv[1] === __filename);
      activate().listen(createServer((_, response) => response.end("${version} " + process.pid)), "http");`;
    const { folder, builder } = await develop(t, { server: server("one"), definition: { workers: 2 } });
    const http = holdSocket();
    t.after(() => http.close());
    const program = startBuilt(t, await builder.build(), { sockets: { http } });
    await program.printed("one serves true\none serves true");
    const [version, pid] = (await answer(http.port)).split(" ");
    assert.deepEqual([version, Number(pid) === program.child.pid], ["one", false]);
    writeFileSync(join(folder, "src/server.ts"), server("two"));
    await builder.build();
    program.child.kill("SIGHUP");
    await program.printed("two serves true\ntwo serves true");
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });

  it("serves by itself, without workers, where it is inspected", async (t) => {
    const { builder } = await develop(t, { definition: { workers: 2 } }, {}, { inspect: "--inspect=127.0.0.1:0" });
    const built = await builder.build();
    assert.match(built.warnings.join(), /without workers/);
    const http = holdSocket();
    t.after(() => http.close());
    const program = startBuilt(t, built, { sockets: { http } });
    assert.match(await answer(http.port), /hello from/);
    program.child.kill();
    const { stderr } = await program.ended;
    assert.match(stderr, /Debugger listening on ws:\/\/127\.0\.0\.1:/);
    assert.equal(stderr.match(/Debugger listening/g)?.length, 1);
  });

  it("takes the connection on descriptor 0 as its own where the definition gives each a process", async (t) => {
    const server = `import { activate } from "rouse";
      const activation = activate();
      activation.connection!.end(activation.source + " " + activation.sockets()[0]!.name);`;
    const definition = { sockets: { http: 80, qotd: { listen: 17, accept: "connection" } } };
    const { builder } = await develop(t, { server, definition });
    const { passed, client } = await connectedPair();
    const program = startBuilt(t, await builder.build(), { stdin: passed });
    passed.close();
    let answer = "";
    for await (const part of client) answer += part;
    assert.equal(answer, "inetd connection");
    assert.equal((await program.ended).code, 0);
  });
});

const SEAT = `export interface Guest { name: string }

export function seat({ name }: Guest): never {
  throw new TypeError(\`no seat for \${name}\`);
}
`;

describe("what is built", () => {
  it("is built anew from the changed sources, and tells what it depends on", async (t) => {
    const { folder, builder } = await develop(
      t,
      { server: `import { a } from "./a"; import dep from "dep"; console.log(a, dep);` },
      {
        "src/a.ts": "export const a = 1;",
        "src/b.ts": "export const b = 2;",
        "tsconfig.json": { extends: "./tsconfig.base.json" },
        "tsconfig.base.json": {},
        "node_modules/dep/package.json": { name: "dep", main: "index.js" },
        "node_modules/dep/index.js": "module.exports = 'dep';",
      },
    );
    const run = async () => (await startBuilt(t, await builder.build()).ended).stdout;
    const names = () =>
      builder
        .files()
        .map((file) => file.slice(folder.length + 1))
        .sort();
    const always = [
      "package.json",
      "rouse.config.json",
      "src/a.ts",
      "src/server.ts",
      "tsconfig.base.json",
      "tsconfig.json",
    ];
    assert.equal(await run(), "1 dep\n");
    assert.deepEqual(names(), always);
    writeFileSync(join(folder, "src/a.ts"), `import { b } from "./b"; export const a = b;`);
    assert.equal(await run(), "2 dep\n");
    assert.deepEqual(names(), [...always, "src/b.ts"].sort());
    writeFileSync(join(folder, "src/server.ts"), "await 0; console.log(3);");
    assert.equal(await run(), "3\n");
    writeFileSync(join(folder, "src/server.ts"), "console.log((function () { return this === undefined; })());");
    assert.equal(await run(), "false\n");
    assert.deepEqual(
      names(),
      always.filter((name) => name !== "src/a.ts"),
    );
  });

  it("is refused with its place, and leaves what was built; then the folders matter where a file could mend it", async (t) => {
    const { folder, builder } = await develop(t, { server: "console.log(1);" });
    const built = await builder.build();
    const entry = join(folder, "src/server.ts");
    writeFileSync(entry, `console.log(import.meta.url); const b = ;\n`);
    const [syntax, ...others] = await problemsOf(builder.build());
    assert.deepEqual(others, []);
    assert.deepEqual(syntax?.where, {
      file: entry,
      line: 1,
      column: 41,
      source: "console.log(import.meta.url); const b = ;",
    });
    assert.ok(builder.files().includes(entry));

    writeFileSync(entry, `import "./lib/deep/gone.ts"; import "left-pad-x"; import "../src/other";\n`);
    const problems = await problemsOf(builder.build());
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["import-not-found", "import-not-found", "import-not-found"],
    );
    const places = builder.files();
    // None of these is there yet, so that it is the nearest that is.
    for (const place of [join(folder, "src"), folder]) assert.ok(places.includes(place), places.join("\n"));
    assert.ok(places.includes(entry));
    assert.equal((await startBuilt(t, built).ended).stdout, "1\n");

    writeFileSync(entry, "console.log(2);");
    assert.equal((await startBuilt(t, await builder.build()).ended).stdout, "2\n");
    assert.ok(!builder.files().includes(folder));
  });

  it("says so where the entry is gone", async (t) => {
    const { folder, builder } = await develop(t, {});
    await builder.build();
    rmSync(join(folder, "src/server.ts"));
    assert.match((await problemsOf(builder.build()))[0]?.what ?? "", /Could not resolve "\.\/src\/server\.ts"/);
    assert.ok(builder.files().includes(join(folder, "src/server.ts")));
  });

  it("is refused for what only the runtime does, where the program does not have it", async (t) => {
    const { builder } = await develop(t, { server: "console.log(1);", definition: { watchdog: "30s" } });
    assert.deepEqual(
      (await problemsOf(builder.build())).map(({ code, where }) => [code, where?.key]),
      [["needs-runtime", "watchdog"]],
    );
  });

  it("keeps few maps, and nothing half-written", async (t) => {
    const { builder } = await develop(t, {});
    const folder = dirname((await builder.build()).command.at(-2)!);
    await Promise.all(Array.from({ length: 8 }, () => builder.build()));
    const kinds = readdirSync(folder).map((name) => name.replace(/-[\d-]+/, ""));
    assert.deepEqual([...new Set(kinds)].sort(), ["program.js", "program.map", "start.cjs"]);
    assert.ok(kinds.length < 10, kinds.join());
  });

  it("leaves native addons, and packages that have one, to Node, and warns that an executable will not have them", async (t) => {
    if (!has(t, "cc", "gcc libc6-dev")) return;
    const addon = compileAddon(t);
    const server = `import direct from "./direct.node"; import binding from "binding"; import { loaded } from "@scope/gyp";
      console.log(direct, binding, loaded);`;
    for (const tail of ["", "await 0;"]) {
      const { folder, builder } = await develop(
        t,
        { server: `${server} ${tail}` },
        {
          "node_modules/binding/package.json": { name: "binding", main: "lib/index.js" },
          "node_modules/binding/lib/index.js": `module.exports = require("../build/x.node");`,
          "node_modules/binding/build/.keep": "",
          // As those do that look for their machine code by where they lie.
          "node_modules/@scope/gyp/package.json": {
            name: "@scope/gyp",
            main: "index.js",
            dependencies: { bindings: "1" },
          },
          "node_modules/@scope/gyp/index.js": `const name = "found.node"; exports.loaded = require(require("path").join(module.filename, "..", name));`,
        },
      );
      for (const path of ["src/direct.node", "node_modules/binding/build/x.node", "node_modules/@scope/gyp/found.node"])
        writeFileSync(join(folder, path), addon);
      const built = await builder.build();
      assert.deepEqual(built.warnings.map((line) => line.replace(folder, "").split(" ")[0]).sort(), [
        "/node_modules/binding/build/x.node",
        "/src/direct.node",
        "@scope/gyp",
      ]);
      const { stdout, stderr } = await startBuilt(t, built).ended;
      assert.equal(stdout, "native native native\n", stderr);
    }
  });

  it("is the program itself where the definition names one", async (t) => {
    const definition = { entry: undefined, exec: "hello.sh" };
    const files = { "hello.sh": "#!/bin/sh\necho hello $1\n" };
    const { folder, builder } = await develop(t, { definition }, files, { inspect: "--inspect" });
    const program = join(folder, "hello.sh");
    const built = await builder.build();
    assert.deepEqual([built.command, built.usesRuntime], [[program], false]);
    assert.match(built.warnings.join(), /^--inspect has no effect/);
    assert.ok(builder.files().includes(program));
    assert.equal((await startBuilt(t, built, { args: ["you"] }).ended).stdout, "hello you\n");
    chmodSync(program, 0o644);
    assert.match((await problemsOf(builder.build()))[0]?.what ?? "", /cannot be executed/);
  });
});
