/** sd_notify(3): tells the service manager about our state, one datagram per message, to the socket that $NOTIFY_SOCKET names. */
import { sendUnixDatagram } from "../src/activation/ffi.ts";
import { debug, print } from "../src/activation/report.ts";

/**
 * Sends assignments, for example "READY=1", "STATUS=serving", in one message; false is left away. Does nothing where there is no $NOTIFY_SOCKET.
 * Never throws: a server must not end because its manager cannot be told.
 */
export function notify(env: Readonly<NodeJS.ProcessEnv>, ...assignments: readonly (string | false)[]): void {
  const path = env.NOTIFY_SOCKET;
  // A newline within a value would start another assignment.
  const lines = assignments.filter((text) => text !== false).map((text) => text.replaceAll(/[\r\n]+/g, " "));
  if (!path || lines.length === 0) return;
  const state = lines.join("\n");
  const sent = /^[/@]/.test(path) ? sendUnixDatagram(path, state) : undefined;
  const text = `${JSON.stringify(state)} to NOTIFY_SOCKET=${path}`;
  if (sent === false) print(`warning: could not send ${text}`);
  else debug(() => `${sent ? "sent" : "no node:ffi to send"} ${text}`);
}
