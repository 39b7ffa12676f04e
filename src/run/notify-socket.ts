import { closeSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type NotifyMessage, parseNotifyMessage } from "../../systemd/notify-messages.ts";
import type { Poller } from "./poller.ts";
import { openCredentialSocket, receiveDatagram } from "./system-calls.ts";

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

/** Undefined where the system has none (macOS). */
export function openNotifySocket(
  folder: string,
  poller: Poller,
  receive: (notification: Notification) => void,
): NotifySocket | undefined {
  const path = join(folder, "notify.sock");
  const fd = openCredentialSocket(path);
  if (fd === undefined) return undefined;
  let cancel = () => {};

  function readNow(): void {
    for (let one = receiveDatagram(fd!); one; one = receiveDatagram(fd!)) {
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
      closeSync(fd);
      rmSync(path, { force: true });
    },
  };
}
