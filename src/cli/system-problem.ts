import { getSystemErrorMessage } from "node:util";
import type { Problem } from "../problem.ts";

/** What the operating system refuses, where nobody has put it in better words; undefined for any other error. */
export function systemProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined || !errno) return undefined;
  const asked = path === undefined ? syscall : `${syscall} ${path}`;
  // fs.rm's own errors have a positive errno.
  return { code: "system", what: `${asked}: ${getSystemErrorMessage(-Math.abs(errno))} (${code})` };
}
