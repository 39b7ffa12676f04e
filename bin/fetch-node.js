// Fetches a Node of the pinned version from the npm registry into Rouse's cache, verified.
// Plain JavaScript for any Node >= 20: this is what runs before the pinned Node is there.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  createReadStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { downloadBase } from "./download-base.js";
import { diskFull, FetchError } from "./fetch-error.js";

export { FetchError } from "./fetch-error.js";

const here = dirname(fileURLToPath(import.meta.url));
const { version, targets } = JSON.parse(readFileSync(join(here, "node-bases.json"), "utf8"));
const run = promisify(execFile);

/** The same rule as in pinned-node. Never a folder that others may write to: what lies in the cache is run. */
export function cacheFolder() {
  const { ROUSE_CACHE, XDG_CACHE_HOME = "", HOME } = process.env;
  // The XDG specification: a path that is not absolute is ignored.
  const base = isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : HOME && join(HOME, ".cache");
  const folder = ROUSE_CACHE || (base && join(base, "rouse"));
  if (folder && isAbsolute(folder)) return folder;
  throw new FetchError({
    code: "no-cache-folder",
    what: folder
      ? `Rouse's cache is no absolute path: ${folder}`
      : "there is no place for Rouse's cache: HOME is not set",
    mend: "set HOME or ROUSE_CACHE to an absolute path",
  });
}

export function cachedNode(target, cache = cacheFolder()) {
  const folder = baseFolder(target, cache);
  const [node, license] = [join(folder, "node"), join(folder, "LICENSE")];
  try {
    accessSync(node, constants.X_OK);
    const { sha256 } = JSON.parse(readFileSync(join(folder, "base.json"), "utf8"));
    // A crash of the machine may have cut it off.
    const whole = statSync(node).size === targets[target].bytes && statSync(license).isFile();
    return whole ? { node, license, version, sha256 } : undefined;
  } catch {
    return undefined;
  }
}

export async function fetchNode(target, { cache = cacheFolder(), onProgress = () => {}, patience = 30_000 } = {}) {
  const cached = cachedNode(target, cache);
  if (cached) return cached;
  const folder = baseFolder(target, cache);
  await withPartialFolder(folder, async (partial) => {
    await downloadBase({ target, version, ...targets[target] }, partial, { onProgress, patience });
    const sha256 = await digest(join(partial, "node"));
    await proveItStarts(target, join(partial, "node"));
    writeFileSync(join(partial, "base.json"), JSON.stringify({ version, target, sha256 }));
    moveIntoPlace(partial, folder, () => cachedNode(target, cache) !== undefined);
  });
  return cachedNode(target, cache);
}

export function progressLine(target) {
  const name = `Node ${version} for ${target}`;
  const live = process.stderr.isTTY === true;
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  let shown = 0;
  if (!live) process.stderr.write(`rouse: fetching ${name} (once)\n`);
  return {
    onProgress(received, total) {
      if (!live || Date.now() - shown < 80) return;
      shown = Date.now();
      const of = total ? ` of ${megabytes(total)}` : "";
      process.stderr.write(`\r\x1b[Krouse: fetching ${name} (once): ${megabytes(received)}${of} MB`);
    },
    end() {
      if (live) process.stderr.write(`\r\x1b[Krouse: fetched ${name}\n`);
    },
  };
}

// --- internal ---

function baseFolder(target, cache) {
  return join(cache, "node", `v${version}`, target);
}

/** Gives `work` a folder beside the final one, which is gone afterwards, also when the process is told to exit. */
async function withPartialFolder(folder, work) {
  const partial = makePartialFolder(folder);
  const remove = () => rmSync(partial, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", remove);
  try {
    await work(partial);
  } catch (error) {
    throw explain(error);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function makePartialFolder(folder) {
  const partial = `${folder}${partialMark}${process.pid}-${randomBytes(6).toString("hex")}`;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    removeAbandoned(folder);
    mkdirSync(partial); // Not recursive: it fails where something of that name is there already.
  } catch (error) {
    throw explain(error);
  }
  return partial;
}

const partialMark = ".partial-";

/** What killed processes left. */
function removeAbandoned(folder) {
  const prefix = `${basename(folder)}${partialMark}`;
  for (const name of readdirSync(dirname(folder)).filter((name) => name.startsWith(prefix))) {
    if (isAlive(Number.parseInt(name.slice(prefix.length), 10))) continue;
    try {
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
    } catch {
      // Another user's: it is not ours to remove, and in nobody's way.
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** What the file system refuses is a fault of the surroundings; anything else is returned as it came. */
function explain(error) {
  if (error instanceof FetchError || error.syscall === undefined) return error;
  const problem = {
    code: "cache-not-writable",
    what: `Rouse's cache cannot be written: ${error.message}`,
    mend: "make it writable, or name another folder in ROUSE_CACHE",
  };
  return new FetchError(error.code === "ENOSPC" ? diskFull : problem, { cause: error });
}

async function digest(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** Only the host's own Node can be started; a missing system library shows here, with its name, and not at some later time. */
async function proveItStarts(target, node) {
  if (target !== `${process.platform}-${process.arch}`) return;
  try {
    await run(node, ["--version"]);
  } catch (error) {
    const reason = (error.stderr || error.message).trim();
    const library = /(lib\w+\.so[.\d]*): cannot open/.exec(reason)?.[1];
    throw new FetchError(
      {
        code: "base-does-not-start",
        what: `Node ${version} does not start on this machine: ${reason}`,
        mend: library?.startsWith("libatomic")
          ? "install libatomic: `apt-get install libatomic1` or `dnf install libatomic`"
          : "Rouse needs a Linux with glibc 2.28 or later, or macOS 13 or later",
      },
      { cause: error },
    );
  }
}

/** Another process may have filled the cache meanwhile; what it wrote is as good as ours. */
function moveIntoPlace(partial, folder, isFilled) {
  try {
    renameSync(partial, folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(error.code)) throw error;
    if (isFilled()) return;
    rmSync(folder, { recursive: true, force: true }); // What is there is damaged.
    renameSync(partial, folder);
  }
}

async function main(target) {
  // The default action of these signals would run no exit handler.
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  process.once("SIGHUP", () => process.exit(129));
  const progress = progressLine(target);
  try {
    await fetchNode(target, progress);
    progress.end();
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    const { what, mend } = error.problem;
    process.stderr.write(`${process.stderr.isTTY ? "\r\x1b[K" : ""}rouse: ${what}\n  mend: ${mend}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main(process.argv[2]);
