/** The library that is written for Linux, as others read it and run it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Listing } from "../../launchd/stand-in/assemble.ts";
import { arm64 } from "../../launchd/stand-in/code-arm64.ts";
import { x64 } from "../../launchd/stand-in/code-x64.ts";
import { describeJob } from "../../launchd/stand-in/job.ts";
import { linuxLibrary } from "../../launchd/stand-in/library.ts";
import { has } from "../helpers/tools.ts";
import { checkContract } from "./contract.ts";
import { compileAsker, hold, makeFolder, type Prepare } from "./job.ts";

const isLinuxX64 = process.platform === "linux" && process.arch === "x64";
const reason = "runs on Linux on x64";

describe("the library for arm64, emulated", { skip: isLinuxX64 ? false : reason }, () => {
  checkContract((t) => {
    if (!has(t, "qemu-aarch64-static", "qemu-user-static")) return undefined;
    if (!has(t, "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")) return undefined;
    const program = compileAsker(t, "aarch64-linux-gnu-gcc");
    // Statically linked, the emulator itself preloads nothing, and hands its environment on.
    const command = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", program];
    return { command, options: { prepare: write("arm64") } };
  });
});

describe("the library under musl", { skip: isLinuxX64 ? false : reason }, () => {
  checkContract((t) =>
    has(t, "musl-gcc", "musl-tools")
      ? { command: [compileAsker(t, "musl-gcc")], options: { prepare: write("x64") } }
      : undefined,
  );
});

describe("the library as others read it", () => {
  for (const [machine, listing, objdump] of [
    ["x64", x64, "x86_64-linux-gnu-objdump"],
    ["arm64", arm64, "aarch64-linux-gnu-objdump"],
  ] as const) {
    it(`is without fault to readelf and elflint (${machine})`, (t) => {
      if (!has(t, "readelf", "binutils") || !has(t, "eu-elflint", "elfutils")) return;
      const library = writeLibrary(t, machine);
      const { status, stdout, stderr } = spawnSync("readelf", ["-W", "-a", library], { encoding: "utf8" });
      assert.deepEqual([status, stderr], [0, ""]);
      assert.match(stdout, /SONAME.*\[librouse-launchd\.so\]/);
      assert.doesNotMatch(stdout, /NEEDED|TEXTREL|RWE/);
      assert.match(stdout, /GNU_STACK .* RW {2}0x10/);
      assert.equal(execFileSync("eu-elflint", [library], { encoding: "utf8" }), "No errors\n");
    });

    it(`has each page for one purpose, also where pages are 64 KiB (${machine})`, (t) => {
      if (!has(t, "readelf", "binutils")) return;
      // Longer than a page.
      const job = [{ name: "x".repeat(200_000), sockets: [] }];
      const path = join(makeFolder(t), "library.so");
      writeFileSync(path, linuxLibrary(machine, job));
      const text = execFileSync("readelf", ["-W", "-l", path], { encoding: "utf8" });
      const loaded = [...text.matchAll(/LOAD\s+(\w+) (\w+) \w+ (\w+) (\w+)/g)].map((row) => row.slice(1).map(Number));
      assert.equal(loaded.length, 3);
      const PAGE = 0x10000;
      let next = 0;
      for (const [offset, address, fileSize, memorySize] of loaded) {
        assert.equal(fileSize, memorySize);
        assert.equal(offset! % PAGE, address! % PAGE);
        assert.ok(Math.floor(address! / PAGE) >= next);
        next = Math.floor((address! + memorySize! - 1) / PAGE) + 1;
      }
    });

    it(`does what the comment beside each instruction says (${machine})`, (t) => {
      if (!has(t, objdump, machine === "x64" ? "binutils" : "gcc-aarch64-linux-gnu")) return;
      const library = writeLibrary(t, machine);
      const style = machine === "x64" ? ["-M", "intel"] : [];
      const text = execFileSync(objdump, ["-d", "--no-show-raw-insn", ...style, library], { encoding: "utf8" });
      const found = [...text.matchAll(/^ +([0-9a-f]+):\t(.*)$/gm)].map(([, at, what]) => ({ at: at!, what: what! }));
      const headers = execFileSync("readelf", ["-W", "-S", library], { encoding: "utf8" });
      const section = (name: string): string => new RegExp(`\\${name} +\\w+ +0*([0-9a-f]+)`).exec(headers)![1]!;
      const labels = { table: section(".data"), malloc: section(".got") };
      assert.deepEqual(
        found.map(({ what }) => tidy(what)),
        expectedCode(
          listing,
          found.map(({ at }) => at),
          labels,
        ),
      );
    });
  }
});

// --- internal ---

function write(machine: "x64" | "arm64"): Prepare {
  return async (folder, sockets) => {
    const library = join(folder, "library.so");
    writeFileSync(library, linuxLibrary(machine, describeJob(sockets)));
    return { LD_PRELOAD: library };
  };
}

function writeLibrary(t: TestContext, machine: "x64" | "arm64"): string {
  const path = join(makeFolder(t), "library.so");
  const sockets = { http: [{ fd: hold(t).fd, descriptor: 3 }], admin: [] };
  writeFileSync(path, linuxLibrary(machine, describeJob(sockets)));
  return path;
}

/** What the listing says of its instructions, with addresses for labels. */
function expectedCode({ text }: Listing, addresses: readonly string[], known: Record<string, string>): string[] {
  const labels = new Map(Object.entries(known));
  const said: string[] = [];
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line.endsWith(":")) labels.set(line.slice(0, -1), addresses[said.length]!);
    else if (line !== "") said.push(line.slice(line.indexOf("  ") + 2).replace(/ ;.*/, ""));
  }
  return said.map((what) => what.replace(/\w+(?=\]?$)/, (label) => labels.get(label) ?? label));
}

/** Without notes, with addresses for distances, and with one blank between. */
function tidy(what: string): string {
  const [, target] = /# ([0-9a-f]+)/.exec(what) ?? [];
  return what
    .replace(/(#\s*[0-9a-f]+ )?<.*|\s+\/\/.*/, "")
    .replace(/rip\+0x[0-9a-f]+/, `rip+${target}`)
    .replace(/\s+/g, " ")
    .trim();
}
