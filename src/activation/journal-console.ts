/**
 * A console whose lines carry their priority to the journal: sd-daemon(3)'s `<N>` in front, where the stream is the journal,
 * and nothing in front elsewhere.
 */
import { fstatSync } from "node:fs";
import { formatWithOptions } from "node:util";

/** As the global console's methods of these names: a format and values. */
export interface JournalConsole {
  debug(...values: unknown[]): void;
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
}

/**
 * Writes debug, log and info to stdout, warn and error to stderr, as Node's own console does. In the journal they are
 * debug (7), info (6), info, warning (4) and err (3), for each line of the text.
 * Whether a stream is the journal is told by JOURNAL_STREAM, compared with fstat(2) as systemd.exec(5) says.
 */
export const console: JournalConsole = {
  debug: (...values) => write(1, 7, values),
  log: (...values) => write(1, 6, values),
  info: (...values) => write(1, 6, values),
  warn: (...values) => write(2, 4, values),
  error: (...values) => write(2, 3, values),
};

/** Whether that descriptor leads to the journal. */
export function isJournal(fd: number, stream: string | undefined = process.env.JOURNAL_STREAM): boolean {
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

// --- internal ---

const journal: boolean[] = [];

function write(fd: 1 | 2, priority: number, values: readonly unknown[]): void {
  const stream = fd === 1 ? process.stdout : process.stderr;
  journal[fd] ??= isJournal(fd);
  const prefix = journal[fd] ? `<${priority}>` : "";
  const colors = !journal[fd] && stream.isTTY && stream.hasColors();
  const text = prefix + formatWithOptions({ colors }, ...values).replaceAll("\n", `\n${prefix}`);
  // As Node's own: a reader that has gone (`server | head`, a journal that was started anew) is no reason for a server to die.
  stream.write(`${text}\n`, (error) => {
    if (error && stream.listenerCount("error") === 0) stream.once("error", () => {});
  });
}
