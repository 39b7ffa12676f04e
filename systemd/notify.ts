/** sd_notify(3): tells the service manager about our state, one datagram per message, to the socket that $NOTIFY_SOCKET names. */
import { sendUnixDatagram } from "../src/activation/ffi.ts";
import { debug, print } from "../src/activation/report.ts";

/**
 * Sends assignments, for example "READY=1", "STATUS=serving", in one message. Does nothing where there is no $NOTIFY_SOCKET.
 * Never throws: a server must not end because its manager cannot be told.
 */
export function notify(env: Readonly<NodeJS.ProcessEnv>, ...assignments: readonly string[]): void {
  const path = env.NOTIFY_SOCKET;
  if (!path) return;
  // A newline within a value would start another assignment.
  const state = assignments.map((text) => text.replaceAll(/[\r\n]+/g, " ")).join("\n");
  const sent = /^[/@]/.test(path) ? sendUnixDatagram(path, state) : undefined;
  const text = `${JSON.stringify(state)} to NOTIFY_SOCKET=${path}`;
  if (sent === false) print(`warning: could not send ${text}`);
  else debug(() => `${sent ? "sent" : "no node:ffi to send"} ${text}`);
}
