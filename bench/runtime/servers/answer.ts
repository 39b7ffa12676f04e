import type { IncomingMessage, ServerResponse } from "node:http";

/** "Hello World!", after as many steps of arithmetic as WORK says. */
export function answer(_request: IncomingMessage, response: ServerResponse): void {
  if (work > 0) compute(work);
  response.setHeader("Content-Type", "text/plain");
  response.end("Hello World!\n");
}

/** Uses the CPU, always for the same number of instructions. */
export function compute(steps: number): void {
  let x = result | 1;
  for (let i = 0; i < steps; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  result = x;
}

// --- internal ---

const work = Number(process.env.WORK ?? 0);
/** Kept, so that no compiler leaves the work away. */
let result = 1;
