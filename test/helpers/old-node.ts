/** The oldest major release of Node that the runtime promises to work on. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { downloadBase } from "../../bin/download-base.js";

/**
 * A Node 20: the machine's own, or else one from the npm registry, checked against its pinned digest and kept in the tests'
 * cache. Undefined where there is none; then the test is skipped with the reason, or fails where everything has to be here (CI).
 */
export async function node20(t: TestContext): Promise<string | undefined> {
  try {
    return ownNode20() ?? (await fetchedNode20());
  } catch (error) {
    const reason = `no Node 20 on the PATH, and none could be fetched: ${(error as Error).message}`;
    if (process.env.CI) throw new Error(reason, { cause: error });
    t.skip(reason);
    return undefined;
  }
}

// --- internal ---

const VERSION = "20.20.2";
const INTEGRITY: Readonly<Record<string, string>> = {
  "linux-x64": "sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
  "linux-arm64": "sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==",
};

function ownNode20(): string | undefined {
  try {
    const script = "console.log(process.version + process.execPath)";
    const [, path] =
      /^v20\.\d+\.\d+(.*)$/.exec(execFileSync("node", ["-e", script], { encoding: "utf8" }).trim()) ?? [];
    return path;
  } catch {
    return undefined;
  }
}

async function fetchedNode20(): Promise<string> {
  const target = `${process.platform}-${process.arch}`;
  const integrity = INTEGRITY[target];
  if (integrity === undefined) throw new Error(`none is pinned for ${target}`);
  const { ROUSE_TEST_CACHE, XDG_CACHE_HOME } = process.env;
  const cache = ROUSE_TEST_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rouse-test");
  const node = join(cache, `node-v${VERSION}-${target}`, "node");
  if (existsSync(node)) return node;
  mkdirSync(cache, { recursive: true });
  const partial = mkdtempSync(join(cache, "node-partial-"));
  try {
    const base = { target, version: VERSION, package: `node-${target}`, integrity };
    await downloadBase(base, partial, { onProgress() {}, patience: 30_000 });
    rmSync(dirname(node), { recursive: true, force: true });
    renameSync(partial, dirname(node));
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return node;
}
