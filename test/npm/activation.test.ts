/** The package rouse-activation itself: what is in it, and its types. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { root } from "../helpers/rouse.ts";
import { installActivation } from "./activation.ts";

const activation = installActivation();
const { folder, installed, packed, pack, npm } = activation;
after(() => activation[Symbol.dispose]());

describe("what is packed", () => {
  test("has no dependency and no script, and is less than 40 KB to download", (t) => {
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    for (const key of ["dependencies", "peerDependencies", "optionalDependencies", "scripts", "bin"]) {
      assert.equal(manifest[key], undefined, key);
    }
    assert.equal(manifest.version, JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
    const files = readdirSync(installed).map((name) => ({ name, bytes: statSync(join(installed, name)).size }));
    const unpacked = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const code = files.find(({ name }) => name === "runtime.cjs")!.bytes;
    const archive = statSync(packed.archive).size;
    t.diagnostic(`${archive} bytes to download; ${unpacked} unpacked, of which ${code} are code`);
    assert.ok(archive < 40_000);
    assert.ok(files.some(({ name }) => name === "LICENSE"));
  });

  test("reaches nothing but node:", () => {
    const text = readFileSync(join(installed, "runtime.cjs"), "utf8");
    const reached = [...text.matchAll(/(?:require|getBuiltinModule)\("([^"]+)"\)/g)].map(([, name]) => name!);
    assert.ok(reached.includes("node:net"));
    for (const name of reached) assert.match(name, /^node:/);
  });

  test("is the same, byte for byte, when packed again", () => {
    const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
    assert.equal(digest(pack("second").archive), digest(packed.archive));
  });

  test("can be published: npm has nothing to warn of and nothing to mend", () => {
    // What it thinks of the machine's own settings is not about the package.
    const stderr = npm("pack", packed.folder, "--dry-run").replaceAll(/^npm warn Unknown .* config .*$/gm, "");
    assert.doesNotMatch(stderr, /warn|error/i);
    const before = readFileSync(join(packed.folder, "package.json"), "utf8");
    npm("pkg", "fix", "--prefix", packed.folder);
    assert.equal(readFileSync(join(packed.folder, "package.json"), "utf8"), before);
  });

  test("offers only files that are there", () => {
    const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    const targets = (value: unknown): string[] =>
      typeof value === "string" ? [value] : Object.values(value as object).flatMap(targets);
    for (const target of targets(exports)) assert.ok(statSync(join(installed, target)).isFile());
  });
});

describe("types", () => {
  const right = `import { activate, ActivationError, type Activation } from "rouse-activation";
    import "rouse-activation/adopt";
    import { createServer } from "node:http";
    const activation: Activation<"http"> = activate({ fallback: { http: 8080 } });
    export const done: Promise<void> = activation.listen(createServer(), "http");
    export const code = (error: unknown): string => (error instanceof ActivationError ? error.code : "none");`;
  const wrong = `import { activate } from "rouse-activation"; activate({ fallback: { http: 1 } }).socket("htpp");`;
  const projects: Readonly<Record<string, readonly [manifest: object, options: object]>> = {
    "a nodenext project of ES modules": [{ type: "module" }, { module: "nodenext" }],
    "a nodenext project of CommonJS": [{ type: "commonjs" }, { module: "nodenext" }],
    "a node16 project of CommonJS": [{ type: "commonjs" }, { module: "node16" }],
    "a project for a bundler": [{}, { module: "esnext", moduleResolution: "bundler" }],
  };
  for (const [title, [manifest, options]] of Object.entries(projects)) {
    test(`fit ${title}, and catch a wrong name`, () => {
      const project = join(folder, title.replaceAll(" ", "-"));
      mkdirSync(project);
      // No types are named: the package itself asks for those of Node. Its own are checked, too.
      const compilerOptions = {
        strict: true,
        noEmit: true,
        target: "es2022",
        typeRoots: [join(root, "node_modules/@types")],
        ...options,
      };
      writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
      writeFileSync(join(project, "right.ts"), right);
      writeFileSync(join(project, "wrong.ts"), wrong);
      const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", project], { encoding: "utf8" });
      assert.match(stdout, /^\S*wrong\.ts\(1,[^\n]*"htpp"[^\n]*\n$/);
    });
  }
});
