/** Collects what comes in a burst. */
export interface Batch {
  add(path: string): void;
  stop(): void;
}

/** Calls `flush` with each path once, when nothing has come for QUIET, or something has come for PATIENCE. */
export function batch(flush: (paths: readonly string[]) => void): Batch {
  const paths = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let first = 0;
  return {
    add(path) {
      if (paths.size === 0) first = Date.now();
      paths.add(path);
      clearTimeout(timer);
      timer = setTimeout(
        () => {
          const all = [...paths];
          paths.clear();
          flush(all);
        },
        Math.max(0, Math.min(QUIET, first + PATIENCE - Date.now())),
      );
    },
    stop() {
      clearTimeout(timer);
      paths.clear();
    },
  };
}

// --- internal ---

/** Milliseconds. Above 50: chokidar passes over what follows a change of the same file by less. */
const QUIET = 60;

/** Milliseconds. Something that never ends, such as a log file in a tree, must not keep the rest back. */
const PATIENCE = 1000;
