import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { deb } from "../../packaging/deb/index.ts";
import type { PackageFile, PackageRequest } from "../../packaging/packager.ts";
import { RouseError } from "../../src/problem.ts";
import { folder, sampleRequest, sampleService, text } from "./sample.ts";
import { has, run } from "./tools.ts";

suite("a .deb", () => {
  test("has the fields that the service and its libraries make", async (t) => {
    const built = await build(t, {});
    if (!built) return;
    const field = (name: string) => run("dpkg-deb", ["--field", built.path, name]).trimEnd();
    assert.equal(field("Package"), "acme-lunchd");
    assert.equal(field("Version"), "1.2.3-1");
    assert.equal(field("Architecture"), "amd64");
    assert.equal(field("Maintainer"), "Ada Cook <ada@kitchen.test>");
    assert.equal(field("Depends"), "libatomic1 (>= 4.8), libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 10.2)");
    assert.equal(field("Homepage"), "https://kitchen.test/lunchd");
    assert.deepEqual(field("Description").split("\n"), [
      "Serves lunch over HTTP",
      " It has soup on every day of the week, and a dessert when there is one.",
      " .",
      " systemd opens the sockets of lunchd and starts it when a client first",
      " connects: http (TCP port 8090), admin (/run/lunchd.sock).",
    ]);
    assert.equal(
      deb.fileName(sampleService({ version: "1.2.3-rc.1" }), "linux-arm64"),
      "acme-lunchd_1.2.3~rc.1-1_arm64.deb",
    );
  });

  test("declares the size that its files take, rounded up one by one", async (t) => {
    const executable = join(await folder(t), "program");
    writeFileSync(executable, Buffer.alloc(2049));
    const built = await build(t, { executable });
    if (!built) return;
    const entries = run("dpkg-deb", ["--contents", built.path]).trimEnd().split("\n");
    const sizes = entries.map((entry) => (entry.startsWith("-") ? Math.ceil(Number(entry.split(/\s+/)[2]) / 1024) : 1));
    const size = sizes.reduce((sum, kib) => sum + kib, 0);
    assert.equal(run("dpkg-deb", ["--field", built.path, "Installed-Size"]).trimEnd(), String(size));
  });

  test("holds every folder, each thing root's and of the given time, and dpkg unpacks what went in", async (t) => {
    const long = `/usr/lib/lunchd/${"directory-with-a-long-name/".repeat(8)}file-with-a-long-name`;
    const built = await build(t, {
      files: [
        text(long, "long"),
        text("/usr/lib/lunchd/Käse 奶酪.txt", "cheese"),
        text(`/usr/lib/lunchd/${"ü".repeat(60)}`, "many bytes"),
        text(`/usr/lib/lunchd/${"n".repeat(240)}`, "no slash to split at"),
        text("/usr/lib/lunchd/empty", ""),
        text("/usr/lib/lunchd/with space", "x"),
        { ...text("/usr/lib/lunchd/far", ""), content: { kind: "link", target: `../${"up/".repeat(60)}there` } },
      ],
    });
    if (!built) return;
    assert.ok(Buffer.byteLength(long) > 240);
    const out = join(await folder(t), "out");
    run("dpkg-deb", ["--extract", built.path, out]);
    const read = (path: string) => readFileSync(join(out, path), "utf8");
    assert.equal(read(long), "long");
    assert.equal(read("/usr/lib/lunchd/Käse 奶酪.txt"), "cheese");
    assert.equal(read(`/usr/lib/lunchd/${"ü".repeat(60)}`), "many bytes");
    assert.equal(read(`/usr/lib/lunchd/${"n".repeat(240)}`), "no slash to split at");
    assert.equal(read("/usr/lib/lunchd/empty"), "");
    assert.equal(readlinkSync(join(out, "usr/bin/lunchd")), "../lib/lunchd/lunchd");
    assert.equal(readlinkSync(join(out, "usr/lib/lunchd/far")), `../${"up/".repeat(60)}there`);
    assert.equal(statSync(join(out, "usr/lib/lunchd/lunchd")).mode & 0o777, 0o755);
    for (const path of ["etc", "usr/lib/systemd/system", "usr/lib/lunchd/empty"]) {
      assert.equal(lstatSync(join(out, path)).mtimeMs, 1_700_000_000_000, path);
    }
    for (const entry of run("dpkg-deb", ["--contents", built.path]).trimEnd().split("\n")) {
      assert.match(entry, /^\S+ root\/root +\d+ 2023-11-14 22:13 \.\//);
    }
    const tar = Buffer.from(
      run("sh", ["-c", 'dpkg-deb --fsys-tarfile "$0" | od -An -v -tx1 -w512 -j156 | cut -c1-3 | sort -u', built.path]),
    );
    assert.doesNotMatch(tar.toString(), /^ (78|67)$/m, "no pax header");
  });

  test("has sums that md5sum confirms, and lists the administrator's files", async (t) => {
    const built = await build(t, { files: [text("/usr/lib/lunchd/back\\slash", "x")] });
    if (!built) return;
    const out = await folder(t);
    run("dpkg-deb", ["--raw-extract", built.path, out]);
    run("md5sum", ["--check", "--strict", "--quiet", "DEBIAN/md5sums"], out);
    const summed = readFileSync(join(out, "DEBIAN/md5sums"), "utf8").match(/(?<= {2}).+/g)!;
    assert.ok(summed.includes("usr/lib/lunchd/lunchd") && !summed.includes("etc/default/lunchd"));
    assert.equal(readFileSync(join(out, "DEBIAN/conffiles"), "utf8"), "/etc/default/lunchd\n");
    for (const script of ["preinst", "postinst", "prerm", "postrm"]) {
      assert.equal(statSync(join(out, "DEBIAN", script)).mode & 0o777, 0o755, script);
    }
  });

  test("tells copyright and changes as Debian reads them", async (t) => {
    const built = await build(t, {
      licenses: [
        { title: "lunchd", text: "Copyright 2023 Ada Cook\r\n\r\nEat well.\n" },
        { title: "Node.js 26", text: "Node's own\n\nterms" },
      ],
    });
    if (!built) return;
    const out = await folder(t);
    run("dpkg-deb", ["--extract", built.path, out]);
    const copyright = readFileSync(join(out, "usr/share/doc/acme-lunchd/copyright"), "utf8");
    assert.match(copyright, /^Copyright: 2023 Ada Cook\nLicense: MIT\n Copyright 2023 Ada Cook\n \.\n Eat well\.$/m);
    assert.match(copyright, /^License: Node\.js-26\n Node's own\n \.\n terms$/m);
    const changelog = gunzipSync(readFileSync(join(out, "usr/share/doc/acme-lunchd/changelog.Debian.gz"))).toString();
    writeFileSync(join(out, "changelog"), changelog);
    if (!has(t, "dpkg-parsechangelog", "dpkg-dev")) return;
    const parsed = run("dpkg-parsechangelog", ["-l", join(out, "changelog")]);
    assert.match(parsed, /^Source: acme-lunchd\nVersion: 1\.2\.3-1$/m);
    assert.match(parsed, /^Maintainer: Ada Cook <ada@kitchen\.test>$/m);
    assert.match(parsed, /^Date: Tue, 14 Nov 2023 22:13:20 \+0000$/m);
    assert.doesNotMatch(parsed, /warning/);
  });

  test("has the same bytes for the same request", async (t) => {
    const first = await build(t, {});
    const second = await build(t, {});
    if (!first || !second) return;
    assert.ok(readFileSync(first.path).equals(readFileSync(second.path)));
  });

  test("is everybody's to read, also with a umask of 077: apt reads it as a user of its own", async (t) => {
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const path = join(await folder(t), "x.deb");
    await deb.write(sampleRequest("/bin/true"), path);
    assert.equal(statSync(path).mode & 0o777, 0o644);
  });

  test("of a whole Node takes little memory and one zstd frame", { timeout: 120_000 }, async (t) => {
    if (!has(t, "dpkg-deb", "dpkg") || !has(t, "zstd", "zstd")) return;
    const path = join(await folder(t), "big.deb");
    const script = new URL("./write-sample.ts", import.meta.url).pathname;
    const peak = Number(
      run(process.execPath, ["--disable-warning=ExperimentalWarning", script, process.execPath, path]),
    );
    assert.ok(peak < 250 * 1024, `${peak} KiB`);
    run("sh", ["-c", 'ar p "$0" data.tar.zst >"$0.zst"', path]);
    assert.match(run("zstd", ["-lv", `${path}.zst`]), /# Zstandard Frames: 1\n/);
    run("sh", [
      "-c",
      'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/lib/lunchd/lunchd | cmp - "$1"',
      path,
      process.execPath,
    ]);
  });
});

suite("a maintainer", () => {
  for (const [author, field] of [
    [{ name: "Ada Cook", email: undefined }, "Ada Cook <no-address@maintainer.invalid>"],
    [{ name: "Acme, Inc.", email: "a@acme.test" }, '"Acme, Inc." <a@acme.test>'],
    [{ name: "  Ada\n Cook ", email: "not an address" }, "Ada Cook <no-address@maintainer.invalid>"],
    [{ name: "", email: "a@acme.test" }, "lunchd maintainers <a@acme.test>"],
    [{ name: "Zoë Müller", email: "z@acme.test" }, "Zoë Müller <z@acme.test>"],
  ] as const) {
    test(`from ${JSON.stringify(author)}`, async (t) => {
      const built = await build(t, { service: sampleService({ author }) });
      if (built) assert.equal(run("dpkg-deb", ["--field", built.path, "Maintainer"]).trimEnd(), field);
    });
  }
});

suite("a description", () => {
  for (const [given, synopsis, next] of [
    ["A web server for lunch.", "web server for lunch", " systemd opens"],
    ["", "lunchd service", " systemd opens"],
    ["One\nline.\n\nTwo\n\n\nThree", "One line", " Two"],
    [`${"word ".repeat(30)}.`, `${"word ".repeat(14)}...`, ` ${"word ".repeat(15).trim()}`],
    ["Version 2.0 of lunch", "Version 2.0 of lunch", " systemd opens"],
  ] as const) {
    test(`from ${JSON.stringify(given)}`, async (t) => {
      const built = await build(t, { service: sampleService({ description: given }) });
      if (!built) return;
      const lines = run("dpkg-deb", ["--field", built.path, "Description"]).split("\n");
      assert.equal(lines[0], synopsis);
      assert.ok(lines[1]!.startsWith(next), String(lines[1]));
      assert.ok(lines.every((line) => line.length <= 80));
    });
  }
});

suite("refused", () => {
  for (const packageName of ["a", "Lunchd", "@acme/lunchd", "-lunchd", "lunch_d"]) {
    test(`the package name ${packageName}`, () => {
      const problems = refused(() => deb.check(sampleService({ packageName })));
      assert.deepEqual(problems, [["deb-package-name", "package.name"]]);
    });
  }

  test("a version that dpkg cannot take, together with the name", () => {
    const problems = refused(() => deb.check(sampleService({ packageName: "X", version: "1:2" })));
    assert.deepEqual(problems, [
      ["deb-package-name", "package.name"],
      ["deb-version", "version"],
    ]);
  });

  for (const name of ["private", "journal", ".", ".."]) {
    test(`directories of a service called "${name}", which are the system's`, () => {
      const directories = { state: false, cache: false, logs: true, configuration: false };
      assert.deepEqual(
        refused(() => deb.check(sampleService({ name, directories }))),
        [["directory-name", "name"]],
      );
      assert.deepEqual(
        refused(() => deb.check(sampleService({ name, directories: { ...directories, logs: false } }))),
        [],
      );
    });
  }

  const unfit: readonly (readonly [string, PackageFile])[] = [
    ["relative", text("usr/x", "")],
    ["with ..", text("/usr/../x", "")],
    ["with a line feed", text("/usr/a\nb", "")],
    ["of half a character", text("/usr/\ud800", "")],
    ["with a name of 256 bytes", text(`/usr/${"ü".repeat(128)}`, "")],
    ["longer than the kernel takes", text(`/usr/${"x/".repeat(2046)}x`, "")],
    ["twice", text("/usr/bin/lunchd", "")],
    ["below a file", text("/usr/lib/lunchd/lunchd/a/b", "")],
    ["of a folder", text("/usr/lib/lunchd", "")],
    ["of a link as conffile", { ...text("/etc/l", ""), conffile: true, content: { kind: "link", target: "x" } }],
    ["without a source", { ...text("/usr/x", ""), content: { kind: "file", source: "/nowhere" } }],
    ["with a folder for a source", { ...text("/usr/x", ""), content: { kind: "file", source: "/etc" } }],
  ];
  for (const [why, file] of unfit) {
    test(`a path ${why}`, async (t) => {
      const out = await folder(t);
      const request = sampleRequest("/bin/true");
      const writing = deb.write({ ...request, files: [...request.files, file] }, join(out, "x.deb"));
      await assert.rejects(
        writing,
        (error) => error instanceof RouseError && error.problems[0]!.code.startsWith("package-"),
      );
      assert.deepEqual(readdirSync(out), []);
    });
  }
});

suite("when the disk refuses", () => {
  test("a file that is there already stays", async (t) => {
    const path = join(await folder(t), "x.deb");
    writeFileSync(path, "mine");
    await assert.rejects(deb.write(sampleRequest("/bin/true"), path), { code: "EEXIST" });
    assert.equal(readFileSync(path, "utf8"), "mine");
  });

  test("a full disk leaves nothing behind", async (t) => {
    if (process.getuid?.() !== 0 || !has(t, "mount", "mount")) return t.skip("needs root, to mount a small disk");
    const out = join(await folder(t), "small");
    mkdirSync(out);
    try {
      run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", out]);
    } catch (error) {
      if (process.env.CI) throw error;
      return t.skip(`no mount here: ${(error as Error).message}`);
    }
    try {
      const writing = deb.write(sampleRequest(process.execPath), join(out, "x.deb"));
      await assert.rejects(writing, { code: "ENOSPC" });
      assert.deepEqual(readdirSync(out), []);
    } finally {
      run("umount", [out]);
    }
  });

  test("a source that cannot be read is not taken for a fault of the folder", async (t) => {
    const out = await folder(t);
    const source = "/proc/self/mem"; // Nothing is mapped at its beginning.
    if (!existsSync(source)) return t.skip("needs /proc");
    const files: PackageFile[] = [{ ...text("/usr/x", ""), content: { kind: "file", source } }];
    const writing = deb.write(sampleRequest("/bin/true", { files }), join(out, "x.deb"));
    await assert.rejects(writing, problem(/^\/proc\/self\/mem, to be installed as \/usr\/x, cannot be read \(EIO\)/));
    assert.deepEqual(readdirSync(out), []);
  });

  test("a source that is a folder or is not there is named, with the place it was meant for", async (t) => {
    const out = await folder(t);
    for (const [source, why] of [
      ["/etc", "is not a regular file"],
      ["/nowhere", "cannot be read (ENOENT)"],
    ] as const) {
      const files: PackageFile[] = [{ ...text("/usr/x", ""), content: { kind: "file", source } }];
      await assert.rejects(deb.write(sampleRequest("/bin/true", { files }), join(out, "x.deb")), (error) => {
        assert.ok(error instanceof RouseError);
        assert.equal(error.problems[0]!.what, `${source}, to be installed as /usr/x, ${why}`);
        assert.deepEqual(error.problems[0]!.where, { file: source });
        return true;
      });
    }
  });

  test("a file that grows while it is packed is named, and nothing is left", async (t) => {
    const out = await folder(t);
    const source = "/proc/self/maps"; // Its size is told as 0.
    if (!existsSync(source)) return t.skip("needs /proc");
    const files: PackageFile[] = [{ ...text("/usr/x", ""), content: { kind: "file", source } }];
    await assert.rejects(
      deb.write(sampleRequest("/bin/true", { files }), join(out, "x.deb")),
      problem(/changed while/),
    );
    assert.deepEqual(readdirSync(out), []);
  });
});

// --- internal ---

interface Change extends Partial<PackageRequest> {
  readonly executable?: string;
}

/** The sample with changes and further files, as a .deb; undefined, and the test skipped, without dpkg. */
async function build(t: TestContext, change: Change): Promise<{ readonly path: string } | undefined> {
  if (!has(t, "dpkg-deb", "dpkg")) return undefined;
  const { executable = "/bin/true", files = [], ...rest } = change;
  const request = sampleRequest(executable, rest);
  const path = join(await folder(t), "x.deb");
  await deb.write({ ...request, files: [...request.files, ...files] }, path);
  return { path };
}

function refused(check: () => void): (readonly [string, string | undefined])[] {
  try {
    check();
  } catch (error) {
    if (error instanceof RouseError) return error.problems.map(({ code, where }) => [code, where?.key] as const);
    throw error;
  }
  return [];
}

function problem(what: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RouseError, String(error));
    const [first] = error.problems;
    assert.match(first!.what, what);
    assert.ok(first!.mend);
    return true;
  };
}
