import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { deb } from "../../packaging/deb/index.ts";
import type { PackageRequest } from "../../packaging/packager.ts";
import { folder, sampleRequest, sampleService } from "./sample.ts";
import { attempt, has, run } from "./tools.ts";

suite("lintian", () => {
  test("has no error for a small program, and misses nothing but its manual", { timeout: 120_000 }, async (t) => {
    const tags = await lint(t, sampleRequest("/bin/true"));
    if (tags) assert.deepEqual(tags, ["W: no-manual-page [usr/bin/lunchd]"]);
  });

  test("takes a maintainer without an address", { timeout: 120_000 }, async (t) => {
    const service = sampleService({ author: { name: "Acme, Inc.", email: undefined } });
    const tags = await lint(t, sampleRequest("/bin/true", { service }));
    if (tags) assert.deepEqual(tags, ["W: no-manual-page [usr/bin/lunchd]"]);
  });

  test("has no error for a whole Node with its licence", { timeout: 300_000 }, async (t) => {
    if (!has(t, "strip", "binutils")) return;
    const node = join(await folder(t), "node");
    copyFileSync(process.execPath, node);
    run("strip", [node]);
    const text = readFileSync(join(dirname(process.execPath), "LICENSE"), "utf8");
    const tags = await lint(t, sampleRequest(node, { licenses: [{ title: "Node.js", text }] }));
    if (tags) assert.deepEqual(tags, ["W: no-manual-page [usr/bin/lunchd]"]);
  });
});

// --- internal ---

/** Errors, warnings, and overrides that nothing needs, sorted. */
async function lint(t: TestContext, request: PackageRequest): Promise<string[] | undefined> {
  if (!has(t, "lintian", "lintian")) return undefined;
  const path = join(await folder(t), deb.fileName(request.service, request.target));
  await deb.write(request, path);
  const { stdout } = attempt("lintian", ["--allow-root", "--tag-display-limit=0", "--display-info", path]);
  return String(stdout)
    .split("\n")
    .filter((line) => /^[EW]:|unused-override|mismatched-override/.test(line))
    .map((line) => line.replace(` ${request.service.packageName}:`, ""))
    .sort();
}
