/** The reading half of the notify protocol: what a service tells its manager (sd_notify(3)). */

/** One datagram's assignments; of a repeated one the last counts. */
export type NotifyMessage = Readonly<Record<string, string>>;

export function parseNotifyMessage(text: string): NotifyMessage {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
