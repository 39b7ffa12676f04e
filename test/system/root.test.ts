import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { processesOf } from "./host-processes.ts";
import { hostTest } from "./require.ts";
import { waitFor } from "./wait.ts";

hostTest("a killed debootstrap leaves no root and no process; then two processes get one root, made once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "debian-root-"));
  const cache = join(folder, "cache");
  const roots = async () => (await readdir(cache)).filter((name) => /^bookworm-[0-9a-f]+$/.test(name));
  try {
    await writeFile(join(folder, "debootstrap"), fakeDebootstrap, { mode: 0o755 });
    const killed = wantRoot(folder);
    await waitFor("debootstrap is at work", async () => existsSync(join(folder, "runs")));
    killed.kill("SIGKILL");
    await once(killed, "exit");
    await waitFor("nothing of it runs", async () => processesOf(folder).length === 0);
    assert.deepEqual(await roots(), []);

    await writeFile(join(folder, "go"), "");
    const answers = await Promise.all([wantRoot(folder), wantRoot(folder)].map((child) => text(child.stdout!)));
    const root = join(cache, (await roots())[0]!);
    assert.deepEqual(answers, [root, root]);
    assert.deepEqual(await readdir(root), ["var"]);
    assert.deepEqual(await readdir(join(root, "var/cache/apt/archives")), []);
    assert.equal(await readFile(join(folder, "runs"), "utf8"), "run\nrun\n");
  } finally {
    await rm(folder, { recursive: true });
  }
});

// --- internal ---

/** Makes half a root, waits for a file "go" beside itself, makes the other half. */
const fakeDebootstrap = `#!/bin/sh
for target; do :; done
mkdir "$target" && touch "$target/half"
echo run >>"\${0%/*}/runs"
while [ ! -e "\${0%/*}/go" ]; do sleep 0.05; done
rm "$target/half" && mkdir -p "$target/var/cache/apt/archives" && touch "$target/var/cache/apt/archives/some.deb"
`;

/** A process that asks for the root with the fake debootstrap, and prints its path. */
function wantRoot(folder: string): ChildProcess {
  const helper = JSON.stringify(join(import.meta.dirname, "root.ts"));
  const script = `import { debianRoot } from ${helper}; process.stdout.write(await debianRoot("bookworm"));`;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], {
    env: { ...process.env, PATH: `${folder}:${process.env.PATH}`, ROUSE_TEST_CACHE: join(folder, "cache") },
    stdio: ["ignore", "pipe", "ignore"],
  });
}
