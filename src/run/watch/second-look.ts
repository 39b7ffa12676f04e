import { statSync } from "node:fs";

/**
 * Looks again, a little later, at files that have come to be watched: chokidar reads a file and watches it then, and what is
 * written in between it does not see.
 */
export interface SecondLook {
  /** These are watched from now on, and no others. */
  expect(paths: readonly string[]): void;
  /** The watcher has told of it by itself. */
  saw(path: string): void;
  stop(): void;
}

/** @param tell gets what has changed and the watcher has not told of */
export function createSecondLook(tell: (path: string) => void): SecondLook {
  const known = new Map<string, string>();
  let timers: NodeJS.Timeout[] = [];

  function look(): void {
    for (const [path, before] of known) {
      const now = stateOf(path);
      if (now === before) continue;
      known.set(path, now);
      tell(path);
    }
  }

  return {
    expect(paths) {
      const wanted = new Set(paths);
      for (const path of known.keys()) if (!wanted.has(path)) known.delete(path);
      for (const path of wanted) if (!known.has(path)) known.set(path, stateOf(path));
      for (const timer of timers) clearTimeout(timer);
      timers = LOOKS.map((time) => setTimeout(look, time).unref());
    },
    saw(path) {
      if (known.has(path)) known.set(path, stateOf(path));
    },
    stop() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

// --- internal ---

/** Milliseconds: twice, as a busy machine may take its time to begin. */
const LOOKS = [250, 1000];

/** A folder changes with everything in it, which is told otherwise. */
function stateOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats || stats.isDirectory()) return "";
  return `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
}
