import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import { once } from "node:events";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, join } from "node:path";
import { test } from "node:test";
import { bundleService } from "../src/bundle.ts";
import { readService } from "../src/definition.ts";
import { makeExecutable } from "../src/executable.ts";
import { removeAbandoned, removeUnfinished, writeWhole } from "../src/output.ts";
import { RouseError } from "../src/problem.ts";
import { writeUnits } from "../src/unit-files.ts";
import { hello, makeProject } from "./helpers/project.ts";

const write = (temporary: string): void => writeFileSync(temporary, "whole", { flag: "wx" });

test("the temporary name cannot be guessed, and tells its process", async (t) => {
  const folder = makeProject(t, {});
  const names: string[] = [];
  for (const name of ["one", "two"]) {
    await writeWhole(join(folder, name), (temporary) => {
      names.push(basename(temporary));
      write(temporary);
    });
  }
  for (const name of names) assert.match(name, new RegExp(`^\\.rouse-partial-${process.pid}-[0-9a-f]{16}$`));
  assert.notEqual(names[0], names[1]);
  assert.deepEqual(readdirSync(folder).sort(), ["one", "two"]);
});

test("a link under the temporary name is not followed, by no maker", async (t) => {
  const folder = makeProject(t, { ...hello(), victim: "precious" });
  const planted = join(folder, "out", `.rouse-partial-${process.pid}-0000000000000000`);
  t.mock.method(crypto, "randomBytes", (size: number) => Buffer.alloc(size)); // As if it could be guessed.
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const bundle = await bundleService(await readService(folder));
  const makers = [
    () => writeUnits([{ name: "x.service", kind: "service", entries: [] }], join(folder, "out")),
    () => makeExecutable(bundle, "linux-x64", join(folder, "out/greeter"), { host: "linux-x64" }),
  ];
  mkdirSync(join(folder, "out"));
  for (const make of makers) {
    symlinkSync(join(folder, "victim"), planted);
    await assert.rejects(make(), (error) => error instanceof RouseError && /was not written/.test(error.message));
    assert.equal(readFileSync(join(folder, "victim"), "utf8"), "precious");
  }
});

test("removeUnfinished takes the temporary file and what stands beside it under its name", async (t) => {
  const folder = makeProject(t, { other: "stays" });
  await writeWhole(join(folder, "made"), (temporary) => {
    write(temporary);
    writeFileSync(`${temporary}.data`, "");
    removeUnfinished();
    assert.deepEqual(readdirSync(folder), ["other"]);
    write(temporary);
  });
});

test("removeAbandoned: what a dead process left, whatever it is, and nothing else", async (t) => {
  const sleeper = spawn("sleep", ["60"]);
  t.after(() => sleeper.kill());
  await once(sleeper, "spawn");
  const folder = makeProject(t, {
    [`.rouse-partial-${sleeper.pid}-00ff`]: "being written",
    ".rouse-partial-999999999-00ff": "left",
    ".rouse-partial-999999999-00ff.data.tar.zst": "left",
    ".rouse-partial-999999999-folder/file": "left",
    "greeter.deb": "whole",
  });
  removeAbandoned(folder);
  assert.deepEqual(readdirSync(folder).sort(), [`.rouse-partial-${sleeper.pid}-00ff`, "greeter.deb"]);
});

const refused: [title: string, path: (folder: string) => string, what: RegExp][] = [
  ["below a file", (folder) => join(folder, "file/made"), /file\/made was not written: a part of its path is a file/],
  ["below a dangling link", (folder) => join(folder, "nowhere/made"), /link that leads nowhere/],
  ["below a link to itself", (folder) => join(folder, "circle/made"), /link to itself/],
  ["where a folder is", (folder) => join(folder, "folder"), /there is a folder of that name/],
  ["under a name that is too long", (folder) => join(folder, "x".repeat(300)), /its path is too long/],
];

for (const [title, path, what] of refused) {
  test(`not written ${title}: said so, nothing is left`, async (t) => {
    const folder = makeProject(t, { file: "a file", "folder/file": "" });
    symlinkSync(join(folder, "none"), join(folder, "nowhere"));
    symlinkSync(join(folder, "circle"), join(folder, "circle"));
    const before = readdirSync(folder);
    await assert.rejects(writeWhole(path(folder), write), (error) => {
      assert.ok(error instanceof RouseError, String(error));
      assert.match(error.message, what);
      return true;
    });
    assert.deepEqual(readdirSync(folder), before);
  });
}

test("what cannot be read is no fault of the output", async (t) => {
  const folder = makeProject(t, {});
  await assert.rejects(
    writeWhole(join(folder, "made"), () => void readFileSync(join(folder, "none"))),
    { code: "ENOENT", path: join(folder, "none") },
  );
});

test("units of an earlier build are looked for among plain files alone", async (t) => {
  const folder = makeProject(t, { "units/old.socket/file": "" });
  const units = join(folder, "units");
  symlinkSync(join(folder, "none"), join(units, "dangling.service"));
  mkdirSync(join(units, "x.socket"));
  await writeUnits([{ name: "x.service", kind: "service", entries: [] }], units);
  assert.deepEqual(readdirSync(units).sort(), ["dangling.service", "old.socket", "x.service", "x.socket"]);
  assert.ok(lstatSync(join(units, "dangling.service")).isSymbolicLink());
});
