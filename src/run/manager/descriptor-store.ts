import { closeSync } from "node:fs";
import type { NotifyMessage } from "../../../systemd/notify-messages.ts";
import { hasHungUp, isSameFile } from "../polling/system-calls.ts";
import type { Passed } from "../processes/hand-over.ts";

/** What a service has given its manager to keep: FDSTORE=1 of sd_notify(3). */
export interface DescriptorStore {
  /** To be passed on after the sockets, the last one first. Without those whose other end has gone meanwhile. */
  readonly kept: readonly Passed[];
  /** Descriptors that came with FDSTORE=1: now the store's, or closed. @returns the name that they get */
  add(fds: readonly number[], message: NotifyMessage): string;
  /** FDSTOREREMOVE=1. */
  remove(name: string): void;
  clear(): void;
}

/** As systemd 252 does it (service_add_fd_store), in a unit that Rouse emits. */
export function createDescriptorStore(): DescriptorStore {
  let entries: Entry[] = [];

  function keepOnly(check: (entry: Entry) => boolean): void {
    const dropped = entries.filter((entry) => !check(entry));
    entries = entries.filter(check);
    for (const { fd } of dropped) closeSync(fd);
  }

  return {
    get kept() {
      keepOnly(({ fd, isWatched }) => !isWatched || !hasHungUp(fd));
      return [...entries]; // The same objects each time: by them it is seen whether anything has changed.
    },
    add(fds, { FDNAME: asked, FDPOLL }) {
      const name = asked !== undefined && isName(asked) ? asked : STORED;
      for (const fd of fds) {
        // What is there already keeps its name.
        if (entries.length >= MOST || entries.some((entry) => isSameFile(entry.fd, fd))) closeSync(fd);
        else entries.unshift({ name, fd, isWatched: FDPOLL !== "0" });
      }
      return name;
    },
    remove(name) {
      keepOnly((entry) => entry.name !== name);
    },
    clear() {
      keepOnly(() => false);
    },
  };
}

// --- internal ---

interface Entry extends Passed {
  readonly isWatched: boolean;
}

/** Of what got no name, or one that cannot stand in LISTEN_FDNAMES. */
const STORED = "stored";

/** FileDescriptorStoreMax= of the unit (systemd/service-unit.ts). */
const MOST = 64;

/** sd_pid_notify_with_fds(3), FDNAME=. */
function isName(text: string): boolean {
  return /^[\x20-\x39\x3b-\x7e]{0,255}$/.test(text);
}
