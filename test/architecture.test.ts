import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { root } from "./helpers/rouse.ts";

const sources = globSync(["src/**/*.ts", "systemd/**/*.ts", "launchd/**/*.ts", "packaging/**/*.ts"], { cwd: root });

/** The files of ours that a file imports, relative to the root. */
function imports(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, path]) =>
    relative(root, resolve(root, dirname(file), path!)),
  );
}

test("the platform rooms do not import each other", () => {
  const rooms = ["systemd", "launchd", "packaging"];
  const roomOf = (file: string): string => file.split("/")[0]!;
  const crossings = sources
    .filter((file) => rooms.includes(roomOf(file)))
    .flatMap((file) => imports(file).map((imported) => [file, imported] as const))
    .filter(([file, imported]) => rooms.includes(roomOf(imported)) && roomOf(imported) !== roomOf(file));
  assert.deepEqual(crossings, []);
});

test("what goes into a user's server reaches only Node and the activation files", async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["src/index.ts"],
    bundle: true,
    platform: "node",
    write: false,
    metafile: true,
  });
  const strangers = Object.keys(metafile.inputs).filter(
    (file) => !/^(src\/index\.ts|src\/activation\/|systemd\/|launchd\/activate-socket\.ts)/.test(file),
  );
  assert.deepEqual(strangers, []);
  const externals = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ external }) => external).map(({ path }) => path),
  );
  assert.deepEqual(
    externals.filter((path) => !path.startsWith("node:")),
    [],
  );
});

test("nothing that goes into an executable reaches the stand-in for launchd", async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["src/adopt.ts", ...globSync("src/bundle/{runtime,supervisor,worker,prelude}.ts", { cwd: root })],
    bundle: true,
    platform: "node",
    outdir: "nowhere",
    write: false,
    metafile: true,
  });
  const files = Object.keys(metafile.inputs);
  assert.ok(files.includes("launchd/activate-socket.ts"));
  assert.deepEqual(
    files.filter((file) => file.startsWith("launchd/stand-in")),
    [],
  );
});

test("only the command line prints or ends the process, beside what runs in a process of its own", () => {
  const speakers =
    /^src\/(cli|activation)\/|^src\/(bundle\/prelude|definition\/config-loader|run\/program\/start-program)\.ts$|^systemd\/notify\.ts$/;
  const printing = sources
    .filter((file) => !speakers.test(file))
    .filter((file) =>
      /\bconsole\.\w+\(|process\.(stdout|stderr|exit\b|exitCode)/.test(readFileSync(join(root, file), "utf8")),
    );
  assert.deepEqual(printing, []);
});

test("the host platform is an argument: only the command line reads it, and what calls the system where it runs", () => {
  const reading = sources
    .filter((file) => !/^src\/(cli|activation)\/|\/system-calls\.ts$/.test(file))
    .filter((file) =>
      /process\.(platform|arch)\b|\bos\.(platform|arch)\(/.test(readFileSync(join(root, file), "utf8")),
    );
  assert.deepEqual(reading, []);
});
