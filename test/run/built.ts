/** Programs as `rouse run` makes them, in a test that starts them itself. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readServiceToRun } from "../../src/definition.ts";
import {
  type BuiltProgram,
  createProgramBuilder,
  type ProgramBuilder,
  type ProgramOptions,
} from "../../src/run/program/program.ts";
import { type Program, type ProgramOptions as StartOptions, start } from "../activation/program.ts";
import { hello, makeProject } from "../helpers/project.ts";

export interface Developed {
  /** Absolute path of the project. */
  readonly folder: string;
  readonly builder: ProgramBuilder;
}

/** A project with that server, and what builds it; both are gone after the test. */
export async function develop(
  t: TestContext,
  changes: Parameters<typeof hello>[0],
  files: Record<string, unknown> = {},
  options: ProgramOptions = {},
): Promise<Developed> {
  const folder = makeProject(t, { ...hello(changes), ...files });
  for (const [name, text] of Object.entries(files)) {
    if (typeof text === "string" && text.startsWith("#!/bin/")) chmodSync(join(folder, name), 0o755);
  }
  const { service } = await readServiceToRun(folder, { host: `${process.platform}-${process.arch}` });
  const out = mkdtempSync(join(tmpdir(), "rouse-run-test-"));
  const builder = createProgramBuilder(service, out, options);
  t.after(async () => {
    await builder[Symbol.asyncDispose]();
    rmSync(out, { recursive: true, force: true });
  });
  return { folder, builder };
}

/** Starts what was built, in another folder than its own; it ends with the test at the latest. */
export function startBuilt(t: TestContext, built: BuiltProgram, options: StartOptions = {}): Program {
  const [file, ...args] = built.command;
  const program = start(file, [...args, ...(options.args ?? [])], options);
  t.after(() => program.child.kill("SIGKILL"));
  return program;
}

/** What a program prints that ends by itself. */
export async function outputOf(
  t: TestContext,
  server: string,
  files: Record<string, unknown> = {},
  changes: Parameters<typeof hello>[0] = {},
): Promise<string> {
  const { builder } = await develop(t, { ...changes, server }, files);
  const { stdout, stderr, code } = await startBuilt(t, await builder.build()).ended;
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  return stdout;
}
