import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { FetchError, type FetchOptions, fetchNode } from "#fetch-node";
import { RouseError } from "../problem.ts";
import type { Target } from "../service.ts";

/** The Node that an executable is made of. */
export interface Base {
  readonly bytes: Buffer;
  readonly version: string;
  readonly license: string;
}

/**
 * Node of the pinned version for a target, from the cache or else the npm registry; the bytes are checked at every use.
 * @throws {RouseError} when it cannot be fetched, or is not the pinned file
 */
export async function loadBase(target: Target, options: FetchOptions = {}): Promise<Base> {
  const { node, license, version, sha256 } = await fetchOrFail(target, options);
  const bytes = readFileSync(node);
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
    rmSync(dirname(node), { recursive: true, force: true });
    throw new RouseError({
      code: "base-integrity",
      what: `the cached Node ${version} for ${target} has changed since it was verified; it was thrown away`,
      where: { file: node },
      mend: "run the same command again to fetch it anew",
    });
  }
  return { bytes, version, license: readFileSync(license, "utf8") };
}

// --- internal ---

async function fetchOrFail(target: Target, options: FetchOptions) {
  try {
    return await fetchNode(target, options);
  } catch (error) {
    throw error instanceof FetchError ? new RouseError(error.problem, { cause: error }) : error;
  }
}
