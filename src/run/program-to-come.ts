// Until src/run/watch.ts is there.
export interface Watcher {
  update(files: readonly string[]): void;
  close(): Promise<void>;
}

type OnChange = (files: readonly string[]) => void;
export const watchFiles = (_files: readonly string[], _changed: OnChange): Watcher => nothing;
export const watchPaths = (_paths: readonly string[], _changed: OnChange): Watcher => nothing;
const nothing: Watcher = { update() {}, async close() {} };
