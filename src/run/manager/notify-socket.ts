import { randomBytes } from "node:crypto";
import { closeSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type NotifyMessage, parseNotifyMessage } from "../../../systemd/notify-messages.ts";
import type { Poller } from "../polling/poller.ts";
import { openCredentialSocket, receiveDatagram } from "../polling/system-calls.ts";

export interface Notification {
  /** Who has sent it. */
  readonly pid: number;
  readonly message: NotifyMessage;
  /** The receiver's to close. */
  readonly fds: readonly number[];
}

/** The socket that services tell their state to: $NOTIFY_SOCKET. */
export interface NotifySocket {
  readonly path: string;
  /** Takes what has come and was not told yet: a process may have ended before its last words were read. */
  readNow(): void;
  close(): void;
}

/** Undefined where the system has none (macOS). @param folder where it lies, unless its path would be too long for a socket */
export function openNotifySocket(
  folder: string,
  poller: Poller,
  receive: (notification: Notification) => void,
): NotifySocket | undefined {
  const path = placeIn(folder);
  const fd = openCredentialSocket(path);
  if (fd === undefined) return undefined;
  let cancel = () => {};
  let isClosed = false;

  /** No more at once than any queue holds: one that never stops to tell would keep the launcher from all else. */
  function readNow(): void {
    for (let count = 0; count < MOST && !isClosed; count++) {
      const one = receiveDatagram(fd!);
      if (!one) return;
      receive({ pid: one.pid, message: parseNotifyMessage(one.text), fds: one.fds });
    }
  }

  function wait(): void {
    cancel = poller.once(fd!, () => {
      readNow();
      wait();
    });
  }

  wait();
  return {
    path,
    readNow,
    close() {
      cancel();
      isClosed = true;
      closeSync(fd);
      rmSync(path, { force: true });
    },
  };
}

// --- internal ---

/** Datagrams: net.unix.max_dgram_qlen is 512, where nobody has changed it. */
const MOST = 1024;

/** unix(7): 107 bytes. */
function placeIn(folder: string): string {
  const path = join(folder, "notify.sock");
  return Buffer.byteLength(path) <= 107 ? path : `/tmp/rouse-${randomBytes(6).toString("hex")}.sock`;
}
