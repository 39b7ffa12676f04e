import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Command } from "../build.ts";

/** What client.go and client.ts take, as their argument. */
export interface LoadOrder {
  /** Of 127.0.0.1. */
  readonly port: number;
  /** Each asks again when it has its answer. */
  readonly connections: number;
  readonly milliseconds: number;
  /** Otherwise every request has a connection of its own. */
  readonly keepAlive: boolean;
}

/** What they print. Quantiles of the time from a request, or from its connect, to the end of its answer, in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds of CPU time that the client itself has used. */
  readonly cpu: number;
  readonly p50: number;
  readonly p99: number;
}

/** @throws {Error} when a single request fails */
export async function load(client: Command, order: LoadOrder): Promise<LoadResult> {
  const [program, ...args] = client;
  const timeout = order.milliseconds + 20_000;
  const { stdout } = await promisify(execFile)(program!, [...args, JSON.stringify(order)], { timeout });
  return JSON.parse(stdout);
}
