import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FetchError, type FetchOptions, fetchNode } from "#fetch-node";
import { loadBase } from "../../src/executable/base.ts";
import { RouseError } from "../../src/problem.ts";
import { makeProject } from "../helpers/project.ts";

test("a registry that falls silent is given up, before and after its first byte", async (t) => {
  const silences: RequestListener[] = [() => {}, (_, response) => response.writeHead(200).write("begun")];
  for (const silence of silences) {
    const cache = makeProject(t, {});
    const error = await fetchFrom(t, silence, { cache, patience: 200 });
    assert.equal(error.problem.code, "base-download");
    assert.match(error.message, /nothing came for 0\.2 seconds/);
    assert.deepEqual(readdirSync(join(cache, "node", process.version)), []);
  }
});

test("a slow registry is no silent one", async (t) => {
  const drop: RequestListener = (_, response) => {
    response.writeHead(200);
    let bytes = 0;
    const timer = setInterval(() => {
      response.write("x");
      if (++bytes < 10) return;
      clearInterval(timer);
      response.end();
    }, 50);
  };
  const error = await fetchFrom(t, drop, { cache: makeProject(t, {}), patience: 300 });
  assert.equal(error.problem.code, "base-integrity", "it came whole, and is not Node");
});

test("what killed fetches left is swept; what a living process has begun is not", async (t) => {
  const cache = makeProject(t, {});
  const folder = join(cache, "node", process.version);
  for (const name of ["linux-x64.partial-999999999", `linux-x64.partial-${process.ppid}-abc`, "darwin-x64"]) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "node"), "begun");
  }
  await fetchFrom(t, (_, response) => response.writeHead(404).end(), { cache });
  assert.deepEqual(readdirSync(folder).sort(), ["darwin-x64", `linux-x64.partial-${process.ppid}-abc`]);
});

test("a cache that is a file: said so", async (t) => {
  const file = join(makeProject(t, { cache: "a file" }), "cache");
  const failed = await loadBase("linux-x64", { cache: file }).catch((error: unknown) => error);
  assert.ok(failed instanceof RouseError);
  assert.equal(failed.problems[0]?.code, "cache-not-writable");
  assert.match(failed.message, /Rouse's cache cannot be written: .*ENOTDIR|EEXIST/);
  assert.ok(existsSync(file));
});

// --- internal ---

async function fetchFrom(t: TestContext, listener: RequestListener, options: FetchOptions): Promise<FetchError> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const before = process.env.npm_config_registry;
  process.env.npm_config_registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    await fetchNode("linux-x64", options);
  } catch (error) {
    if (error instanceof FetchError) return error;
    throw error;
  } finally {
    if (before === undefined) delete process.env.npm_config_registry;
    else process.env.npm_config_registry = before;
  }
  throw new Error("it was fetched");
}
