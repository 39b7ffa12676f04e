import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { cachedNode, cacheFolder } from "#fetch-node";
import { makeProject } from "../helpers/project.ts";
import { type Ran, root } from "../helpers/rouse.ts";

const pinnedNode = join(root, "bin/pinned-node");
const target = `${process.platform}-${process.arch}`;
const bases = JSON.parse(readFileSync(join(root, "bin/node-bases.json"), "utf8")) as {
  version: string;
  targets: Record<string, { bytes: number }>;
};

type Variables = Record<"HOME" | "XDG_CACHE_HOME" | "ROUSE_CACHE", string>;

const places: [title: string, variables: Partial<Variables>, cache: string][] = [
  ["ROUSE_CACHE", { ROUSE_CACHE: "/a", XDG_CACHE_HOME: "/b", HOME: "/c" }, "/a"],
  ["XDG_CACHE_HOME", { XDG_CACHE_HOME: "/b", HOME: "/c" }, "/b/rouse"],
  ["HOME", { HOME: "/c" }, "/c/.cache/rouse"],
  ["HOME, where XDG_CACHE_HOME is not absolute", { XDG_CACHE_HOME: "b", HOME: "/c" }, "/c/.cache/rouse"],
  ["HOME, where the others are empty", { ROUSE_CACHE: "", XDG_CACHE_HOME: "", HOME: "/c" }, "/c/.cache/rouse"],
];

for (const [title, variables, cache] of places) {
  test(`the cache is found by ${title}, and by both halves alike`, (t) => {
    const folder = makeProject(t, {});
    const under = Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, value.startsWith("/") ? folder + value : value]),
    );
    plantNode(folder + cache, "echo planted");
    assert.equal(run(t, under, folder).stdout, "planted\n");
    assert.equal(withVariables(under, cacheFolder), folder + cache);
  });
}

const nowhere: [title: string, variables: Partial<Variables>, what: RegExp][] = [
  ["HOME is not set", {}, /HOME is not set/],
  ["HOME is empty", { HOME: "" }, /HOME is not set/],
  ["HOME is relative", { HOME: "c" }, /no absolute path: c\/\.cache\/rouse/],
  ["ROUSE_CACHE is relative", { ROUSE_CACHE: "a", HOME: "/c" }, /no absolute path: a$/m],
];

for (const [title, variables, what] of nowhere) {
  test(`nothing is run where there is no cache: ${title}`, (t) => {
    const folder = makeProject(t, {});
    for (const cache of ["a", ".cache/rouse", "c/.cache/rouse"]) plantNode(join(folder, cache), "echo planted");
    const { code, stdout, stderr } = run(t, variables, folder);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, what);
    assert.match(stderr, /\n {2}mend: set HOME or ROUSE_CACHE to an absolute path\n$/);
    assert.throws(() => withVariables(variables, cacheFolder), what);
  });
}

const damages: [title: string, damage: (node: string) => void][] = [
  ["cut off", (node) => truncateSync(node, 1000)],
  [
    "a folder",
    (node) => {
      rmSync(node);
      mkdirSync(node);
    },
  ],
  ["not executable", (node) => chmodSync(node, 0o644)],
];

for (const [title, damage] of damages) {
  test(`a cached Node that is ${title} is fetched anew`, (t) => {
    const folder = makeProject(t, {});
    const cache = join(folder, "cache");
    const node = plantNode(cache, "echo planted");
    assert.equal(run(t, { ROUSE_CACHE: cache }, folder).stdout, "planted\n");
    assert.notEqual(cachedNode(target as "linux-x64", cache), undefined);
    damage(node);
    assert.match(run(t, { ROUSE_CACHE: cache }, folder).stderr, /stand-in: .*\/bin\/fetch-node\.js/);
    assert.equal(cachedNode(target as "linux-x64", cache), undefined);
  });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} while Node is fetched leaves nothing, and no process`, async (t) => {
    const cache = makeProject(t, {});
    const folder = join(cache, "node", `v${bases.version}`);
    const registry = createServer((_, response) => response.writeHead(200).write("begun")).listen(0, "127.0.0.1");
    await once(registry, "listening");
    t.after(() => registry.close());
    const asked = once(registry, "request");
    const env = {
      ...process.env,
      ROUSE_CACHE: cache,
      npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
    };
    const child = spawn(pinnedNode, ["--version"], { env, stdio: "ignore" });
    const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    const [, response] = (await asked) as [unknown, import("node:http").ServerResponse];
    while (!readdirSync(folder).some((name) => existsSync(join(folder, name, "archive.tgz")))) await setTimeout(10);
    const dropped = once(response, "close");
    child.kill(signal);
    const [code] = await ended;
    await dropped;
    assert.equal(code, signal === "SIGINT" ? 130 : 143);
    assert.deepEqual(readdirSync(folder), []);
  });
}

// --- internal ---

/** A stand-in of the right size where pinned-node looks for the cached one. */
function plantNode(cache: string, script: string): string {
  const node = join(cache, "node", `v${bases.version}`, target, "node");
  mkdirSync(dirname(node), { recursive: true });
  writeFileSync(node, `#!/bin/sh\n${script}\nexit\n`, { mode: 0o755 });
  truncateSync(node, bases.targets[target]!.bytes);
  writeFileSync(join(dirname(node), "LICENSE"), "");
  writeFileSync(join(dirname(node), "base.json"), JSON.stringify({ sha256: "" }));
  return node;
}

/** pinned-node with these variables alone, and a stand-in for the `node` that would fetch. */
function run(t: TestContext, variables: Partial<Variables>, cwd: string): Ran {
  const path = makeProject(t, { node: '#!/bin/sh\necho "stand-in: $*" >&2\nexit 1\n' });
  chmodSync(join(path, "node"), 0o755);
  const env = { PATH: `${path}:/usr/bin:/bin`, ...variables };
  const { status, stdout, stderr } = spawnSync(pinnedNode, ["x"], { cwd, env, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

function withVariables<T>(variables: Partial<Variables>, work: () => T): T {
  const before = { ...process.env };
  for (const name of ["HOME", "XDG_CACHE_HOME", "ROUSE_CACHE"]) delete process.env[name];
  Object.assign(process.env, variables);
  try {
    return work();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
    Object.assign(process.env, before);
  }
}
