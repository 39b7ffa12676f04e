import type { Service } from "../service.ts";

// Until src/run/program.ts and src/run/watch.ts are there.
export interface Watcher {
  update(files: readonly string[]): void;
  close(): Promise<void>;
}

export interface ProgramBuilder extends AsyncDisposable {
  build(): Promise<{ command: [string, ...string[]]; usesRuntime: boolean; warnings: string[] }>;
  files(): readonly string[];
}

export function createProgramBuilder(
  service: Service,
  _folder: string,
  _options: { inspect?: string },
): ProgramBuilder {
  return {
    build: async () => ({ command: [process.execPath, service.entry!], usesRuntime: true, warnings: [] }),
    files: () => [],
    async [Symbol.asyncDispose]() {},
  };
}

type OnChange = (files: readonly string[]) => void;
export const watchFiles = (_files: readonly string[], _changed: OnChange): Watcher => nothing;
export const watchPaths = (_paths: readonly string[], _changed: OnChange): Watcher => nothing;
const nothing: Watcher = { update() {}, async close() {} };
