import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RouseError } from "../../src/problem.ts";
import { type Watcher, watchFiles, watchPaths } from "../../src/run/watch/watch.ts";
import { makeProject } from "../helpers/project.ts";
import { has } from "../helpers/tools.ts";

interface Seen {
  readonly watcher: Watcher;
  /** Each call's files, by their last part. */
  readonly calls: string[][];
  /** Waits for the next call. */
  next(): Promise<string[]>;
  /** What has been told so far is over. */
  skip(): void;
  /** Nothing more comes. */
  quiet(): Promise<void>;
}

function see(t: TestContext, start: (onChange: (files: readonly string[]) => void) => Watcher): Seen {
  const calls: string[][] = [];
  let taken = 0;
  const waiting: (() => void)[] = [];
  const watcher = start((files) => {
    calls.push(files.map((file) => file.slice(file.lastIndexOf("/") + 1)).sort());
    for (const wake of waiting.splice(0)) wake();
  });
  t.after(() => watcher.close());
  return {
    watcher,
    calls,
    async next() {
      while (calls.length === taken) await new Promise<void>((resolve) => waiting.push(resolve));
      return calls[taken++]!;
    },
    skip() {
      taken = calls.length;
    },
    async quiet() {
      await sleep(400);
      assert.deepEqual(calls.slice(taken), []);
    },
  };
}

/** Long enough for the system's clock of files to go on, and for chokidar to have read the folders. */
const settle = () => sleep(200);

async function project(t: TestContext): Promise<{ folder: string; at: (name: string) => string }> {
  const folder = makeProject(t, { "src/a.ts": "1", "src/b.ts": "1", "src/other.ts": "1", "package.json": {} });
  await settle();
  return { folder, at: (name) => join(folder, name) };
}

test("a change is told once; what was there, and what nobody asked for, is not", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts"), at("package.json")], tell));
  await seen.quiet();
  writeFileSync(at("src/other.ts"), "2");
  writeFileSync(at("src/new.ts"), "2");
  await seen.quiet();
  writeFileSync(at("src/a.ts"), "2");
  assert.deepEqual(await seen.next(), ["a.ts"]);
  writeFileSync(at("package.json"), "{ }");
  assert.deepEqual(await seen.next(), ["package.json"]);
  await seen.quiet();
});

test("what changes before the folders are read is told too", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts")], tell));
  await sleep(20);
  writeFileSync(at("src/a.ts"), "2");
  assert.deepEqual(await seen.next(), ["a.ts"]);
});

test("what is written just when the watching begins is told, whichever moment that is", async (t) => {
  const { at } = await project(t);
  for (let delay = 0; delay < 30; delay++) {
    const seen = see(t, (onChange) => watchFiles([at("src/a.ts"), at("src/b.ts")], onChange));
    await sleep(delay);
    writeFileSync(at("src/a.ts"), `after ${delay} ms`);
    assert.deepEqual(
      await Promise.race([seen.next(), sleep(5000, ["nothing"], { ref: false })]),
      ["a.ts"],
      `${delay} ms`,
    );
    await seen.watcher.close();
  }
});

test("an editor that renames a new file into place, again and again", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts")], tell));
  await settle();
  for (const text of ["2", "3", "4"]) {
    writeFileSync(at("src/.a.ts.tmp"), text);
    renameSync(at("src/.a.ts.tmp"), at("src/a.ts"));
    assert.deepEqual(await seen.next(), ["a.ts"]);
    await seen.quiet();
  }
});

test("an editor that moves the file away and writes a new one (vim)", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts")], tell));
  await settle();
  for (const text of ["2", "3"]) {
    renameSync(at("src/a.ts"), at("src/a.ts~"));
    writeFileSync(at("src/a.ts"), text);
    unlinkSync(at("src/a.ts~"));
    assert.deepEqual(await seen.next(), ["a.ts"]);
    await seen.quiet();
  }
});

test("a file that is deleted, and made again later", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts"), at("src/b.ts")], tell));
  await settle();
  for (const text of ["2", "3"]) {
    unlinkSync(at("src/a.ts"));
    assert.deepEqual(await seen.next(), ["a.ts"]);
    writeFileSync(at("src/a.ts"), text);
    assert.deepEqual(await seen.next(), ["a.ts"]);
    appendFileSync(at("src/b.ts"), text);
    assert.deepEqual(await seen.next(), ["b.ts"]);
  }
});

test("what else happens where a deleted folder was is no news", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts")], tell));
  await settle();
  rmSync(at("src"), { recursive: true });
  await seen.next();
  await settle();
  writeFileSync(at("events.log"), "1");
  await seen.quiet();
  mkdirSync(at("src"));
  writeFileSync(at("src/a.ts"), "2");
  assert.ok((await seen.next()).length > 0);
});

test("a folder that is deleted, and made again at once or later", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts"), at("package.json")], tell));
  await settle();
  for (const pause of [0, 600]) {
    rmSync(at("src"), { recursive: true });
    await sleep(pause);
    mkdirSync(at("src"));
    writeFileSync(at("src/a.ts"), "2");
    await seen.next();
    await settle();
    const before = seen.calls.length;
    writeFileSync(at("src/a.ts"), "3");
    while (!seen.calls.slice(before).flat().includes("a.ts")) await seen.next();
    await settle();
  }
});

test("a burst is one call, and a write in two parts is told when it is whole", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts"), at("src/b.ts"), at("package.json")], tell));
  await settle();
  writeFileSync(at("src/a.ts"), "");
  await sleep(15);
  appendFileSync(at("src/a.ts"), "2");
  writeFileSync(at("src/b.ts"), "2");
  writeFileSync(at("package.json"), "{ }");
  assert.deepEqual(await seen.next(), ["a.ts", "b.ts", "package.json"]);
  await seen.quiet();
});

test("files that come later are watched from then on, and those that go no more", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts")], tell));
  await settle();
  mkdirSync(at("lib"));
  writeFileSync(at("lib/c.ts"), "1");
  await settle();
  seen.watcher.update([at("src/b.ts"), at("lib/c.ts")]);
  await settle();
  writeFileSync(at("src/a.ts"), "2");
  await seen.quiet();
  writeFileSync(at("src/b.ts"), "2");
  assert.deepEqual(await seen.next(), ["b.ts"]);
  writeFileSync(at("lib/c.ts"), "2");
  assert.deepEqual(await seen.next(), ["c.ts"]);
});

test("in a folder that is asked for, what comes is told: a file that an import waits for, and a folder", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("src/a.ts"), at("src")], tell));
  await seen.quiet();
  writeFileSync(at("src/missing.ts"), "1");
  assert.deepEqual(await seen.next(), ["missing.ts"]);
  mkdirSync(at("src/deeper"));
  assert.deepEqual(await seen.next(), ["deeper"]);
});

test("a file in folders that are not there yet", async (t) => {
  const { at } = await project(t);
  const seen = see(t, (tell) => watchFiles([at("x/y/z.ts")], tell));
  await settle();
  mkdirSync(at("x"));
  assert.deepEqual(await seen.next(), ["x"]);
  await settle();
  mkdirSync(at("x/y"));
  assert.deepEqual(await seen.next(), ["y"]);
  await settle();
  writeFileSync(at("x/y/z.ts"), "1");
  assert.deepEqual(await seen.next(), ["z.ts"]);
});

test("a checkout of many files, there and back", async (t) => {
  if (!has(t, "git", "git")) return;
  const { folder } = await project(t);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: folder, stdio: "pipe" });
  const names = Array.from({ length: 60 }, (_, index) => `lib/part${index % 6}/f${index}.ts`);
  const write = (text: string, list: readonly string[]) => {
    for (const name of list) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  };
  git("init", "-q", "-b", "one");
  write("one", names);
  git("add", ".");
  git("commit", "-qm", "one");
  git("checkout", "-q", "-b", "two");
  write("two", names);
  git("rm", "-rqf", "lib/part5");
  git("commit", "-qam", "two");
  git("checkout", "-q", "one");
  await settle();
  const seen = see(t, (tell) =>
    watchFiles(
      names.map((name) => join(folder, name)),
      tell,
    ),
  );
  await settle();
  const told = async (action: () => unknown) => {
    const before = seen.calls.length;
    action();
    await seen.next();
    await sleep(500);
    seen.skip();
    return new Set(seen.calls.slice(before).flat());
  };
  const lastOf = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  for (const branch of ["two", "one", "two", "one"]) {
    const files = await told(() => git("checkout", "-q", branch));
    // What was in the folder that comes and goes is not told by itself where that was made anew.
    const missing = names.filter((name) => !name.startsWith("lib/part5/") && !files.has(lastOf(name)));
    assert.deepEqual(missing, [], branch);
  }
  const files = await told(() => write("x", names));
  assert.deepEqual([...files].sort(), names.map(lastOf).sort());
});

test("any program's folders: without hidden folders, packages, and what compilers make", async (t) => {
  const folder = makeProject(t, {
    "main.go": "1",
    "pkg/deep/er/x.go": "1",
    "node_modules/a/index.js": "1",
    ".git/HEAD": "1",
    "target/debug/x": "1",
    "dist/x.js": "1",
    ".env": "A=1",
  });
  const at = (name: string) => join(folder, name);
  await settle();
  const seen = see(t, (tell) => watchPaths([folder], tell));
  await seen.quiet();
  for (const name of ["node_modules/a/index.js", ".git/HEAD", "target/debug/x", "dist/x.js", "main.go~"])
    writeFileSync(at(name), "2");
  await seen.quiet();
  for (const name of ["main.go", "pkg/deep/er/x.go", ".env", "pkg/new.go"]) {
    writeFileSync(at(name), "2");
    assert.deepEqual(await seen.next(), [name.slice(name.lastIndexOf("/") + 1)]);
  }
  const named = see(t, (tell) => watchPaths([at("target/debug"), at("dist/x.js")], tell));
  await named.quiet();
  writeFileSync(at("target/debug/x"), "3");
  assert.deepEqual(await named.next(), ["x"]);
  writeFileSync(at("dist/x.js"), "3");
  assert.deepEqual(await named.next(), ["x.js"]);
});

test("a path to watch that is not there is refused", () => {
  assert.throws(
    () => watchPaths(["/nowhere/at/all"], () => {}),
    (error) => error instanceof RouseError && error.problems[0]?.code === "no-such-path",
  );
});

test("a watcher that is closed keeps no process alive", async (t) => {
  const { at } = await project(t);
  const source = `const { watchFiles } = await import(${JSON.stringify(new URL("../../src/run/watch/watch.ts", import.meta.url).href)});
    const watcher = watchFiles([${JSON.stringify(at("src/a.ts"))}], () => {}); setTimeout(() => watcher.close(), 100);`;
  execFileSync(process.execPath, ["--input-type=module", "-e", source], { timeout: 10_000, stdio: "pipe" });
});
