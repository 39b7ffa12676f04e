// Fetches one Node from the npm registry into a folder, verified, with nothing unpacked that is not.
import { createReadStream, createWriteStream, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { unpackTar } from "modern-tar/fs";
import { integrityStream } from "ssri";
import { diskFull, FetchError } from "./fetch-error.js";
import { readRegistry } from "./npm-registry.js";

/** Into a file first, so that nothing is unpacked that is not the pinned archive to the last byte. */
export async function downloadBase({ target, version, package: name, integrity }, folder, { onProgress, patience }) {
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
    throw new FetchError(downloadProblem(error, `Node ${version} for ${target}`, url), { cause: error });
  } finally {
    silence.end();
  }
  rmSync(archive);
}

// --- internal ---

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

function downloadProblem(error, name, url) {
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
