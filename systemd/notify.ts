/**
 * sd_notify(3): tells the service manager about our state, one datagram per message, to the socket that $NOTIFY_SOCKET names,
 * or through the descriptor of OpenFile= where the unit has one.
 */
import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { hasForeignFunctions, openPipe, sendUnixDatagram } from "../src/activation/ffi.ts";
import { debug, print } from "../src/activation/report.ts";

/** The service manager as a program sees it. Nothing here throws: a server must not end because its manager cannot be told. */
export interface Manager {
  /** Sends assignments, for example "READY=1", "STATUS=serving", in one message; false is left away. Without a manager it does nothing. */
  tell(...assignments: readonly (string | false)[]): void;
  /** Gives the manager a copy of the descriptor under that name, to pass it on at the next start; whether it was sent. */
  store(name: string, fd: number): boolean;
  /** Has the manager drop what it stores under that name. */
  unstore(name: string): void;
  /** Resolves when the manager has read everything sent before, at once where there is none, after `timeout` milliseconds at the latest. */
  barrier(timeout: number): Promise<void>;
  /** Milliseconds within which WATCHDOG=1 has to come, or undefined where nobody watches. */
  readonly watchdog: number | undefined;
}

/** @param openFile the descriptor of `OpenFile=/run/systemd/notify:notify`, where the unit has that */
export function systemdManager(env: Readonly<NodeJS.ProcessEnv>, openFile?: number): Manager {
  const path = /^[/@]/.test(env.NOTIFY_SOCKET ?? "") ? env.NOTIFY_SOCKET : undefined;
  const target = openFile ?? path;
  const watchdog = target === undefined ? undefined : watchdogInterval(env);
  if (typeof ROUSE_HAS_FFI === "undefined" && target === path && path !== undefined && !hasForeignFunctions()) {
    sayMute(path, watchdog);
  }

  let isGone = false;

  function send(message: string, fds: readonly number[] = []): boolean {
    if (target === undefined) return false;
    const sent = sendBy(target, message, fds);
    const text = `${JSON.stringify(message)} to NOTIFY_SOCKET=${path}`;
    // One that is gone stays away: the rest would fill the log.
    if (sent === false && !isGone) print(`warning: could not send ${text}`);
    else debug(() => `${sent ? "sent" : "cannot send"} ${text}`);
    isGone = sent === false;
    return sent === true;
  }

  return {
    watchdog,
    tell(...assignments) {
      // A newline within a value would start another assignment.
      const lines = assignments.filter((text) => text !== false).map((text) => text.replaceAll(/[\r\n]+/g, " "));
      if (lines.length > 0) send(lines.join("\n"));
    },
    store: (name, fd) => send(`FDSTORE=1\nFDNAME=${name}`, [fd]),
    unstore: (name) => void send(`FDSTOREREMOVE=1\nFDNAME=${name}`),
    async barrier(timeout) {
      const pipe = target === undefined ? undefined : openPipe();
      if (!pipe) return;
      const [reading, writing] = pipe;
      send("BARRIER=1", [writing]);
      closeSync(writing);
      // The manager closes its copy when it is that far, which is the end of the stream.
      const end = new Socket({ fd: reading, signal: AbortSignal.timeout(timeout) }).resume();
      await new Promise((resolve) => end.on("error", () => {}).once("close", resolve));
    },
  };
}

// --- internal ---

/** sd_watchdog_enabled(3). */
function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: Readonly<NodeJS.ProcessEnv>): number | undefined {
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid) return undefined;
  const microseconds = /^\d{1,16}$/.test(WATCHDOG_USEC ?? "") ? Number(WATCHDOG_USEC) : 0;
  return microseconds > 0 ? microseconds / 1000 : undefined;
}

function sendBy(target: string | number, message: string, fds: readonly number[]): boolean | undefined {
  const sent = sendUnixDatagram(target, message, fds);
  if (typeof ROUSE_HAS_FFI !== "undefined" || sent !== undefined || typeof target === "string" || fds.length > 0)
    return sent;
  try {
    return writeSync(target, message) > 0;
  } catch {
    return false;
  }
}

function sayMute(path: string, watchdog: number | undefined): void {
  const text = `NOTIFY_SOCKET=${path} cannot be used: this Node (${process.version}) has no node:ffi`;
  const mend = "Use Node 26, or OpenFile=/run/systemd/notify:notify in the unit, or Type=exec";
  if (watchdog === undefined) debug(() => `${text}. ${mend}`);
  else print(`warning: ${text}, so that WatchdogSec= will end this process. ${mend} without WatchdogSec=.`);
}
