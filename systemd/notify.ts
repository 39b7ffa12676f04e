/** sd_notify(3): tells the service manager about our state, one datagram per message, to the socket that $NOTIFY_SOCKET names. */
import { sendUnixDatagram } from "../src/activation/ffi.ts";
import { debug, warn } from "../src/activation/report.ts";

/**
 * Sends `state`, for example "READY=1\nSTATUS=serving". Does nothing where there is no $NOTIFY_SOCKET; never throws:
 * a server must not end because its manager cannot be told.
 */
export function notify(env: Readonly<NodeJS.ProcessEnv>, state: string): void {
  const path = env.NOTIFY_SOCKET;
  if (!path) return;
  const sent = /^[/@]/.test(path) ? sendUnixDatagram(path, state) : undefined;
  const what = JSON.stringify(state);
  if (sent) debug(() => `told ${path} ${what}`);
  else if (sent === false) warn(`could not send ${what} to NOTIFY_SOCKET=${path}`);
  else debug(() => `cannot send ${what} to NOTIFY_SOCKET=${path}: this Node has no node:ffi, or it is no unix socket`);
}

/** A value of one line: a newline would start another assignment. */
export function status(text: string): string {
  return `STATUS=${text.replaceAll(/[\r\n]+/g, " ")}`;
}
