// Fetches a Node of the pinned version from the npm registry into Rouse's cache, verified.
// Plain JavaScript for any Node >= 20: this is what runs before the pinned Node is there.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createGunzip } from "node:zlib";
import { parse as parseIni } from "ini";
import { unpackTar } from "modern-tar/fs";
import { integrityStream } from "ssri";

const here = dirname(fileURLToPath(import.meta.url));
const { version, targets } = JSON.parse(readFileSync(join(here, "node-bases.json"), "utf8"));
const run = promisify(execFile);

export class FetchError extends Error {
  constructor(problem, options) {
    super(problem.what, options);
    this.problem = problem;
  }
}

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
    await download(target, partial, { onProgress, patience });
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

const diskFull = {
  code: "disk-full",
  what: `the disk is full: Node ${version} needs 210 MB in the cache`,
  mend: "free some, or name another folder in ROUSE_CACHE",
};

/** Into a file first, so that nothing is unpacked that is not the pinned archive to the last byte. */
async function download(target, folder, { onProgress, patience }) {
  const { package: name, integrity } = targets[target];
  const registry = await readRegistry();
  const url = `${registry.url}${name}/-/${name}-${version}.tgz`;
  const archive = join(folder, "archive.tgz");
  const silence = timeLimit(patience, `nothing came for ${patience / 1000} seconds`);
  try {
    const response = await request(url, registry, silence.signal);
    const total = Number(response.headers.get("content-length")) || undefined;
    await pipeline(
      Readable.fromWeb(response.body),
      counter((received) => {
        silence.refresh();
        onProgress(received, total);
      }),
      integrityStream({ integrity }),
      createWriteStream(archive),
    );
    silence.end();
    await unpack(archive, folder);
  } catch (error) {
    throw new FetchError(downloadProblem(error, target, url), { cause: error });
  } finally {
    silence.end();
  }
  rmSync(archive);
}

function timeLimit(milliseconds, reason) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(reason)), milliseconds);
  return { signal: controller.signal, refresh: () => timer.refresh(), end: () => clearTimeout(timer) };
}

function counter(report) {
  let received = 0;
  return new Transform({
    transform(chunk, _encoding, done) {
      received += chunk.length;
      report(received);
      done(null, chunk);
    },
  });
}

async function unpack(archive, folder) {
  const wanted = new Map([
    ["package/bin/node", "node"],
    ["package/LICENSE", "LICENSE"],
  ]);
  await pipeline(
    createReadStream(archive),
    createGunzip(),
    unpackTar(folder, {
      filter: (header) => wanted.has(header.name),
      map: (header) => ({ ...header, name: wanted.get(header.name), mtime: new Date() }),
    }),
  );
}

const checkRegistry = "check the registry with `npm config get registry`, then run the same command again";

async function request(url, { token }, signal) {
  const response = await fetch(url, { signal, headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (!response.ok) throw new Error(`the registry answered ${response.status}`);
  return response;
}

function downloadProblem(error, target, url) {
  const name = `Node ${version} for ${target}`;
  // fetch's own errors say no more than "fetch failed"; the reason is their cause.
  const { code, message } = error.cause ?? error;
  if (code === "EINTEGRITY") {
    return {
      code: "base-integrity",
      what: `${name} from ${url} is not the file that this release of Rouse pins (its sha512 differs); it was thrown away`,
      mend: `a registry or proxy changed it, or the download broke: ${checkRegistry}`,
    };
  }
  if (code === "ENOSPC") return diskFull;
  return {
    code: "base-download",
    what: `${name} could not be fetched from ${url}: ${message || code}`,
    mend: checkRegistry,
  };
}

/** The registry as npm itself would choose it here, and its token where an .npmrc has one. */
async function readRegistry() {
  const url = process.env.npm_config_registry || (await askNpm());
  const withSlash = url.endsWith("/") ? url : `${url}/`;
  return { url: withSlash, token: readToken(withSlash) };
}

async function askNpm() {
  try {
    const { stdout } = await run("npm", ["config", "get", "registry"]);
    return stdout.trim();
  } catch (error) {
    throw new FetchError(
      {
        code: "no-registry",
        what: "npm did not say which registry to fetch Node from",
        mend: "put npm on PATH, or set npm_config_registry to the registry's URL",
      },
      { cause: error },
    );
  }
}

function readToken(url) {
  const key = `${url.replace(/^https?:/, "")}:_authToken`;
  const files = [".npmrc", process.env.npm_config_userconfig || join(homedir(), ".npmrc")];
  for (const file of files.filter(existsSync)) {
    const token = parseIni(readFileSync(file, "utf8"))[key];
    if (token) return token.replace(/\$\{(\w+)\}/g, (_, name) => process.env[name] ?? "");
  }
  return undefined;
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
