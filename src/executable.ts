import { closeSync, fchmodSync, openSync, writeSync } from "node:fs";
import type { FetchOptions } from "#fetch-node";
import type { LibraryNeed } from "../packaging/packager.ts";
import type { Bundle } from "./bundle.ts";
import { loadBase } from "./executable/base.ts";
import { makeBlob } from "./executable/blob.ts";
import { injectElf } from "./executable/inject-elf.ts";
import { readLibraryNeeds } from "./executable/libraries.ts";
import { smokeRun } from "./executable/smoke-run.ts";
import { writeWhole } from "./output.ts";
import type { Target } from "./service.ts";

export interface Executable {
  readonly target: Target;
  readonly path: string;
  readonly nodeVersion: string;
  readonly nodeLicense: string;
  readonly libraries: readonly LibraryNeed[];
}

export interface ExecutableOptions extends FetchOptions {
  /** The machine that builds, for example "linux-x64". */
  readonly host: string;
}

/**
 * Makes the single executable of a bundle for one target, whole or not at all.
 * @throws {RouseError} when the base is not to be had, or what was built does not start
 */
export async function makeExecutable(
  bundle: Bundle,
  target: Target,
  path: string,
  { host, ...fetching }: ExecutableOptions,
): Promise<Executable> {
  const [base, blob] = await Promise.all([loadBase(target, fetching), makeBlob(bundle, host === target)]);
  const pieces = injectElf(base.bytes, blob);
  await writeWhole(path, async (temporary) => {
    writePieces(temporary, pieces);
    if (host === target) await smokeRun(temporary);
  });
  return {
    target,
    path,
    nodeVersion: base.version,
    nodeLicense: base.license,
    libraries: readLibraryNeeds(base.bytes),
  };
}

// --- internal ---

function writePieces(path: string, pieces: readonly Uint8Array[]): void {
  const file = openSync(path, "wx");
  try {
    for (const piece of pieces) writeAll(file, piece);
    fchmodSync(file, 0o755);
  } finally {
    closeSync(file);
  }
}

/** write(2) may take less than it is given, on a full disk above all. */
function writeAll(file: number, piece: Uint8Array): void {
  for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done);
}
