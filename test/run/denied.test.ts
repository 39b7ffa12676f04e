import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outside } from "../../src/run/sandbox/denial-rules.ts";
import { denied } from "../../src/run/sandbox/denied.ts";
import { readFailures } from "../../src/run/sandbox/failure.ts";
import { ServiceManager } from "../../src/run/sandbox/service-manager.ts";
import { sandbox } from "../../systemd/sandbox.ts";
import { section, type Unit } from "../../systemd/unit.ts";

// What a program really says under a real sandbox is in test/system/run-sandbox.test.ts. Here is what that machine does not bring about.

const unit = (network: "none" | "outbound", without: readonly string[] = []): Unit => ({
  name: "lunchd.service",
  kind: "service",
  entries: section("Service", sandbox("/usr/lib/lunchd/lunchd", { network })).filter(
    ({ name }) => !without.includes(name),
  ),
});

/** A machine in which everything is there, and everybody may do everything. */
const open: Outside = {
  exists: () => true,
  isReadOnly: () => false,
  isOpenToAll: () => true,
  isExecutable: () => true,
};

function whatDenied(line: string, outside: Partial<Outside> = {}, of = unit("none")): string[] {
  const confinement = { unit: of, root: "/home/ann/lunchd", outside: { ...open, ...outside } };
  return readFailures(line).map((failure) => denied(failure, confinement)?.what ?? "unknown");
}

describe("a denial under the sandbox", () => {
  const rofs = "EROFS: read-only file system, open '/var/x'";

  test("is found in whatever a line looks like, and each of several", () => {
    const by = "denied by ProtectSystem=strict and DynamicUser=yes:";
    assert.deepEqual(whatDenied(`Error: ${rofs}`), [`${by} ${rofs}`]);
    assert.deepEqual(whatDenied(`{"level":50,"err":{"message":"${rofs}"},"msg":"no"}`), [`${by} ${rofs}`]);
    const rename = "EROFS: read-only file system, rename '/tmp/a' -> '/var/b'";
    assert.deepEqual(whatDenied(`${rename}; ${rofs}`), [`${by} ${rename}`, `${by} ${rofs}`]);
    assert.deepEqual(whatDenied('"code":"EPERM","syscall":"setgid"'), [
      "denied by SystemCallFilter=~@privileged @resources: setgid EPERM",
    ]);
  });

  test("is not claimed where the machine itself is so", () => {
    assert.deepEqual(whatDenied(rofs, { isReadOnly: () => true }), ["unknown"]);
    const missing = { exists: () => false };
    for (const path of ["/home/ann/x", "/dev/kvm", "/tmp/x", "/proc/17/status", "/home/ann/lunchd/x"]) {
      assert.deepEqual(whatDenied(`ENOENT: no such file or directory, open '${path}'`, missing), ["unknown"], path);
    }
    assert.deepEqual(whatDenied("spawn nowhere EACCES", { isExecutable: () => false }), ["unknown"]);
    assert.deepEqual(whatDenied("spawn nowhere ENOENT"), ["unknown"]);
  });

  test("is not claimed of a setting that the unit does not have", () => {
    assert.deepEqual(whatDenied(rofs, {}, unit("none", ["ProtectSystem", "DynamicUser"])), ["unknown"]);
    const outbound = unit("outbound");
    for (const line of [
      "connect ENETUNREACH 192.0.2.1:80 - Local (0.0.0.0:0)",
      "connect ECONNREFUSED 127.0.0.1:5432",
      "getaddrinfo EAI_AGAIN db.example",
      "listen EADDRINUSE: address already in use :::3000",
    ]) {
      assert.deepEqual(whatDenied(line, {}, outbound), ["unknown"], line);
    }
  });

  test("is only probable where the setting may not be the reason", () => {
    const line = "EACCES: permission denied, open '/var/spool/open-to-all'";
    assert.deepEqual(whatDenied(line), [`probably denied by ProtectSystem=strict and DynamicUser=yes: ${line}`]);
    assert.deepEqual(whatDenied(line, { isOpenToAll: () => false }), [`denied by DynamicUser=yes: ${line}`]);
  });

  test("of what only some machines have is named", () => {
    for (const [line, settings] of [
      ["listen EACCES: permission denied 0.0.0.0:80", "CapabilityBoundingSet= and DynamicUser=yes"],
      ["EROFS: read-only file system, open '/sys/fs/cgroup/x'", "ProtectControlGroups=yes"],
      ["EROFS: read-only file system, open '/proc/sys/kernel/hostname'", "ProtectKernelTunables=yes"],
      ["EPERM: operation not permitted, open '/proc/kmsg'", "ProtectKernelLogs=yes"],
      ["EPERM: operation not permitted, open '/dev/null0'", "DevicePolicy=closed"],
      ["spawnSync /usr/bin/git EACCES", "NoExecPaths=/"],
      ["queryA ECONNREFUSED db.example", "RestrictAddressFamilies=AF_UNIX and PrivateNetwork=yes"],
    ] as const) {
      assert.deepEqual(whatDenied(line), [`denied by ${settings}: ${line}`]);
    }
    assert.deepEqual(whatDenied("connect EACCES /run/docker.sock", { isOpenToAll: () => false }), [
      "denied by DynamicUser=yes: connect EACCES /run/docker.sock",
    ]);
    const addon = "/tmp/addon.node: failed to map segment from shared object";
    assert.deepEqual(whatDenied(`Error: ${addon}`), [`probably denied by NoExecPaths=/: ${addon}`]);
  });

  test("of a file of the project is told as what an installed service lacks, though a home has it", () => {
    const line = "EACCES: permission denied, open '/home/ann/lunchd/menu.json'";
    assert.deepEqual(whatDenied(line), [`${line}: a file of the project, and an installed service has none of them`]);
  });

  test("is not looked for in data", () => {
    assert.deepEqual(whatDenied(`${"x".repeat(30_000)} ${rofs}`), []);
    assert.deepEqual(whatDenied("GET /EROFS returned 200"), []);
  });
});

test("a machine without systemd, and one whose systemctl is not there, are told with what to do", async () => {
  for (const [host, uid, why] of [
    ["darwin-arm64", 501, /on Linux only/],
    ["linux-x64", 0, /systemctl does not answer/],
    ["linux-x64", 4_000_000, /has no systemd of its own running/],
  ] as const) {
    await assert.rejects(ServiceManager.reach(host, uid, { PATH: "/nowhere" }), (error: Error) => {
      assert.match(error.message, why);
      const [problem] = (error as Error & { problems: { code: string; mend: string }[] }).problems;
      assert.equal(problem!.code, "no-systemd");
      assert.match(problem!.mend, /without --sandbox/);
      return true;
    });
  }
});
