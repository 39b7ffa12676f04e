import type { Problem } from "../src/problem.ts";
import type { Target } from "../src/service.ts";

/** A Node of the pinned version in the cache. */
export interface NodeBase {
  /** The executable. */
  readonly node: string;
  /** Node's licence text. */
  readonly license: string;
  readonly version: string;
  readonly sha256: string;
}

export interface FetchOptions {
  readonly cache?: string;
  /** Called as bytes arrive; `total` is undefined where the server does not tell. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
  /** Milliseconds without a byte after which a download fails. Default: 30 s. */
  readonly patience?: number;
}

/** Thrown by fetchNode: the download failed, or what came is not what was pinned. Carries a Problem. */
export class FetchError extends Error {
  readonly problem: Problem;
}

/** @throws {FetchError} where the environment names none */
export function cacheFolder(): string;
/** The base if it is in the cache and has the pinned size, with its recorded digest; it is not read here. */
export function cachedNode(target: Target, cache?: string): NodeBase | undefined;
/** The base from the cache, or else from the npm registry, verified against the pinned integrity, then moved into the cache whole. */
export function fetchNode(target: Target, options?: FetchOptions): Promise<NodeBase>;
/** onProgress that writes one line to a terminal and nothing else where stderr is no terminal, but for a first and last line. */
export function progressLine(target: Target): {
  readonly onProgress: NonNullable<FetchOptions["onProgress"]>;
  readonly end: () => void;
};
