/** The package rouse-activation, as somebody gets it who does not build with Rouse. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { node20 } from "../helpers/old-node.ts";
import { root } from "../helpers/rouse.ts";

/** What would be published. */
export interface Packed {
  readonly folder: string;
  readonly archive: string;
}

export interface InstalledActivation extends Disposable {
  /** A folder elsewhere, with nothing in it but this package. */
  readonly folder: string;
  readonly packed: Packed;
  /** Where npm has put it. */
  readonly installed: string;
  /** Writes a file into the folder, and gives its path. */
  write(name: string, text: string): string;
  /** Packs it again, into a folder of that name. */
  pack(name: string): Packed;
  /** Runs npm, without the settings of this machine, whose mistakes it would warn of. Gives its stderr. */
  npm(...args: readonly string[]): string;
}

export function installActivation(): InstalledActivation {
  const folder = mkdtempSync(join(tmpdir(), "rouse-activation-"));

  function write(name: string, text: string): string {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  }

  function npm(...args: readonly string[]): string {
    const env = { ...process.env, npm_config_userconfig: "/dev/null", npm_config_cache: join(folder, "npm-cache") };
    const { status, stderr } = spawnSync("npm", args, { cwd: folder, env, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return stderr;
  }

  function pack(name: string): Packed {
    const packed = join(folder, name);
    const script = join(root, "scripts/pack-activation.ts");
    execFileSync(process.execPath, [script, join(packed, "package")], { stdio: ["ignore", "pipe", "inherit"] });
    npm("pack", join(packed, "package"), "--pack-destination", packed, "--silent");
    const archive = readdirSync(packed).find((file) => file.endsWith(".tgz"))!;
    return { folder: join(packed, "package"), archive: join(packed, archive) };
  }

  const packed = pack("first");
  write("package.json", "{}");
  // Offline, with an empty cache: it has no dependency.
  npm("install", "--offline", "--no-audit", "--no-fund", packed.archive);
  const installed = join(folder, "node_modules/rouse-activation");
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { folder, packed, installed, write, pack, npm, [Symbol.dispose]: remove };
}

/** Those that it has to serve on. */
export const nodes: Readonly<Record<string, (t: TestContext) => Promise<string | undefined>>> = {
  "Node 20": node20,
  "the pinned Node": async () => process.execPath,
};
