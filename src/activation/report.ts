/**
 * What the runtime says to people: on stderr, one line each, never through `console`, which a program may have replaced.
 * Under inetd, whose client or socket is stderr too, in the system's log.
 */
import { fstatSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { built } from "./built.ts";
import { sendUnixDatagram } from "./ffi.ts";

/** Says what was found and decided, where ROUSE_DEBUG names "activation". The text is made only then. */
export function debug(text: () => string): void {
  if (process.env.ROUSE_DEBUG?.includes("activation")) print(`activation: ${text()}`);
}

export function print(text: string): void {
  const name = built?.name ?? basename(process.argv[1] ?? "node");
  try {
    if (!isSocketOfStdin(2)) writeSync(2, `${name}: ${text}\n`);
    else sendUnixDatagram("/dev/log", `<${DAEMON_NOTICE}>${name}[${process.pid}]: ${text}`);
  } catch {
    // A closed stderr is no reason for a server to die.
  }
}

// --- internal ---

/** syslog(3): facility times eight, and severity. */
const DAEMON_NOTICE = 3 * 8 + 5;

/** Whether a descriptor is the same socket as descriptor 0. */
function isSocketOfStdin(fd: number): boolean {
  const stdin = fstatSync(0);
  return stdin.isSocket() && stdin.ino === fstatSync(fd).ino;
}
