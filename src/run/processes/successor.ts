import { RouseError } from "../../problem.ts";
import type { Child } from "./child.ts";

/**
 * The process that takes the place of one that is ending. It is started meanwhile, and waits before the first line of the
 * program: Node is up when the old one has ended, and the two never run side by side.
 */
export interface Successor<T> {
  /** @param given what it was handed over beside the sockets */
  prepare(given: readonly T[]): Promise<void>;
  /** It, if it lives, and what it was given is what it would be given now. Then it is the caller's to let through. */
  take(given: readonly T[]): Child | undefined;
  /** Ends one that nobody has taken. */
  discard(): void;
}

/** @param start gives a process that waits at its gate */
export function createSuccessor<T>(start: () => Promise<Child>): Successor<T> {
  let waiting: { readonly child: Child; readonly given: readonly T[] } | undefined;

  function discard(): void {
    waiting?.child.signalGroup("SIGKILL");
    waiting = undefined;
  }

  return {
    async prepare(given) {
      discard();
      try {
        waiting = { given: [...given], child: await start() };
      } catch (error) {
        // It is tried again when the old one has ended, and told then.
        if (!(error instanceof RouseError)) throw error;
      }
    },
    take(given) {
      const one = waiting;
      const isRight =
        one?.child.isAlive &&
        one.given.length === given.length &&
        given.every((each, index) => each === one.given[index]);
      if (!isRight) {
        discard();
        return undefined;
      }
      waiting = undefined;
      return one.child;
    },
    discard,
  };
}
