import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Check } from "../../src/doctor.ts";
import { makeProject } from "../helpers/project.ts";
import { rouse } from "../helpers/rouse.ts";

test("doctor tells what this machine has, and of what it lacks what for and how to get it", () => {
  const { code, stdout, stderr } = rouse(["doctor"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^here +version +details\nNode +26\.\d+\.\d+ +\/.*\n/);
  assert.match(stdout, /^node:ffi +works$/m);
  const foreign = process.platform === "darwin" ? "systemd" : "launchd";
  const [, missing] = stdout.split("\n\nnot here\n");
  assert.match(missing!, new RegExp(`^${foreign} +for +\\S.*\n(?: +why .*\n)? +get +only \\w+ has it$`, "m"));
  assert.ok(!/undefined/.test(stdout) && !stdout.includes("\u001b"), stdout);
});

test("doctor --json is one document, with the same for every check", () => {
  const { code, stdout, stderr } = rouse(["doctor", "--json"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const document = JSON.parse(stdout) as { checks: Check[] };
  assert.deepEqual(Object.keys(document), ["checks"]);
  const allowed = ["name", "found", "version", "path", "detail", "for", "get", "needed"];
  for (const check of document.checks) {
    assert.deepEqual(
      Object.keys(check),
      allowed.filter((key) => key in check),
      check.name,
    );
    assert.equal(typeof check.found, "boolean", check.name);
    assert.ok(check.for, check.name);
    assert.equal(check.get !== undefined, !check.found, check.name);
  }
  const names = document.checks.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of ["systemd", "launchd", "inetd", "dpkg", "rpm", "codesign", "rcodesign", "cache"]) {
    assert.ok(names.includes(name), name);
  }
});

test("doctor is not stopped by a systemctl that hangs", (t) => {
  const folder = makeProject(t, { systemctl: "#!/bin/sh\nsleep 1000 &\nwait\n" });
  chmodSync(join(folder, "systemctl"), 0o755);
  const { code, stdout } = rouse(["doctor"], { env: { PATH: `${folder}:${process.env.PATH}` } });
  assert.equal(code, 0);
  if (process.platform === "linux") assert.match(stdout, /systemctl did not answer within 5 s/);
});

test("exit code 1 where Rouse itself cannot work, and 2 for wrong usage", (t) => {
  const env = { TMPDIR: join(makeProject(t, {}), "none") };
  const { code, stdout } = rouse(["doctor"], { env });
  assert.equal(code, 1);
  assert.match(stdout, /^temporary folder +for .*\n +why .*none: is not there\n +get /m);
  assert.equal(rouse(["doctor", "--json"], { env }).code, 1);
  assert.equal(rouse(["doctor", "here"]).code, 2);
});
