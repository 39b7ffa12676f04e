/** The times that a supervisor gives a worker: to get ready, to end, and without a sign of life. */

export interface Limit {
  restart(milliseconds: number, over: () => void): void;
  /** If that is longer than what is left. */
  extend(milliseconds: number): void;
  stop(): void;
}

/** Calls `over` after so long, unless it is stopped before. */
export function limitTime(milliseconds: number, over: () => void): Limit {
  let timer: NodeJS.Timeout | undefined;
  let end = 0;
  const limit: Limit = {
    restart(time, what) {
      clearTimeout(timer);
      over = what;
      end = performance.now() + time;
      timer = setTimeout(over, time);
    },
    extend(time) {
      if (timer && performance.now() + time > end) limit.restart(time, over);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
  limit.restart(milliseconds, over);
  return limit;
}

/** Calls `over` when nothing was heard for `limit` milliseconds. */
export function watchFor(limit: number, heard: () => number, over: () => void): NodeJS.Timeout {
  const step = limit / 4;
  let from = performance.now();
  let last = from;
  const silent = () => performance.now() - Math.max(heard(), from) > limit;
  return setInterval(() => {
    const now = performance.now();
    // Late itself: whatever held this process up (a frozen group, a machine without memory) held the worker up as well.
    if (now - last > step * 2) from = now;
    last = now;
    // What it has said may wait to be read, which comes between timers and immediates.
    if (silent()) setImmediate(() => silent() && over());
  }, step);
}
