import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { cachedNode } from "#fetch-node";
import type { Check } from "../doctor.ts";
import type { Target } from "../service.ts";
import { type Host, readIfThere } from "./host.ts";

/** What Rouse itself runs on and builds with. */
export async function examineNode(host: Host): Promise<Check[]> {
  return [
    {
      name: "Node",
      found: true,
      version: process.version.slice(1),
      path: process.execPath,
      for: "everything; Rouse brings its own, and yours stays as it is",
      needed: true,
    },
    ...(host.platform === "linux" ? [libatomic(host)] : []),
    await foreignFunctions(),
    await esbuild(),
    ...bases.map((target) => base(target, host)),
    cache(host),
  ];
}

// --- internal ---

/** Those that this release makes executables for. */
const bases: readonly Target[] = ["linux-x64"];

function libatomic({ installer }: Host): Check {
  const path = /\S+\/libatomic\.so\S*/.exec(readIfThere("/proc/self/maps") ?? "")?.[0];
  const check = { name: "libatomic", for: "Node, and every executable that Rouse makes, where it is installed" };
  // This very process would not run without it, where its Node needs it.
  if (path === undefined) return { ...check, found: true, detail: "this Node needs none" };
  return { ...check, found: true, path, detail: `the package is ${installer === "apt" ? "libatomic1" : "libatomic"}` };
}

async function foreignFunctions(): Promise<Check> {
  const check = {
    name: "node:ffi",
    for: "rouse run; in servers readiness, the watchdog and launchd",
    needed: true,
  } as const;
  try {
    const { dlopen } = await import("node:ffi");
    const { lib } = dlopen(null);
    const answer = lib.getFunction("getpid", { arguments: [], return: "i32" })();
    if (answer === process.pid) return { ...check, found: true, detail: "works" };
    return { ...check, found: false, detail: `getpid() gave ${String(answer)}`, get: "please report it" };
  } catch (error) {
    return { ...check, found: false, detail: (error as Error).message, get: "a machine that Node 26 supports fully" };
  }
}

/** Its program is in a package of its own, for each platform, which `npm install --omit=optional` leaves out. */
async function esbuild(): Promise<Check> {
  const check = { name: "esbuild", for: "bundling TypeScript: rouse build, rouse run", needed: true } as const;
  try {
    const { transform, version } = await import("esbuild");
    await transform("let a: number", { loader: "ts" });
    return { ...check, found: true, version };
  } catch (error) {
    const detail = (error as Error).message.split("\n")[0]!;
    return { ...check, found: false, detail, get: "npm install without --omit=optional, on this very platform" };
  }
}

function base(target: Target, { folders }: Host): Check {
  const cached = cachedNode(target, folders.cache);
  const check = { name: `Node for ${target}`, for: `executables for ${target}` };
  if (!cached) return { ...check, found: false, get: "rouse build fetches it, once" };
  return { ...check, found: true, version: cached.version, path: cached.node };
}

function cache({ folders }: Host): Check {
  const path = folders.cache;
  const nodes = list(join(path, "node")).map((version) => ({
    version,
    targets: list(join(path, "node", version)).filter((target) => !target.includes(".")),
  }));
  const kept = nodes.flatMap(({ version, targets }) => targets.map((target) => `${version} ${target}`));
  const detail = [`${(sizeOf(path) / 1e6).toFixed(0)} MB`, ...kept].join(", ");
  return {
    name: "cache",
    found: true,
    path,
    detail,
    for: "the Nodes that executables are made of; may be removed at any time",
  };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // It is not there, or is no folder.
  }
}

function sizeOf(path: string): number {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (!entry?.isDirectory()) return entry?.size ?? 0;
  return list(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
