import type { Unit } from "../../../systemd/unit.ts";
import type { Problem } from "../../problem.ts";
import { deniedStep } from "./denied.ts";

/** What a user's own systemd cannot check. */
export function uncheckedProblem(settings: readonly string[]): Problem {
  return {
    code: "sandbox-unchecked",
    what: `a user's own systemd cannot apply ${settings.join(", ")}: what these deny is not seen here`,
    mend: "run it as root for the whole sandbox",
  };
}

/** What this machine left out. */
export function notAppliedProblem(settings: readonly string[]): Problem {
  return {
    code: "sandbox-unchecked",
    what: `this machine has not applied ${settings.join(", ")}: what these deny is not seen here`,
    mend: "see the journal for the reason; a container and a kernel without user namespaces are the usual ones",
  };
}

/** @param journal what systemd wrote of the unit; may be empty */
export function notStarted(unit: string, journal: string): Problem {
  const last = journal.trim().split("\n").at(-1);
  return {
    code: "not-started",
    what: `systemd could not start ${unit}${last ? `: ${last}` : ""}`,
    mend: "see its journal, or run it without --sandbox",
  };
}

/** What is to be said of an end that is not the program's own. */
export async function unusualEnd(
  result: string,
  exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null },
  unit: Unit,
  journal: () => Promise<string>,
): Promise<Problem | undefined> {
  const text = results[result];
  if (text) return { code: `ended-by-${result}`, what: text[0], mend: text[1] };
  if (exit.signal === "SIGSYS") return deniedStep("SIGSYS", "", unit);
  // systemd's own exit codes (systemd.exec(5)); a program may use the same numbers.
  if (exit.code === null || exit.code < 200) return undefined;
  const failed = /Failed at step (\w+) spawning ([^\n]*)/.exec(await journal());
  return failed ? deniedStep(failed[1]!, failed[2]!, unit) : undefined;
}

// --- internal ---

/** $SERVICE_RESULT (systemd.exec(5)). */
const results: Readonly<Record<string, readonly [what: string, mend: string]>> = {
  watchdog: [
    "systemd has ended the program, because it gave no sign of life within the definition's watchdog",
    "look for what keeps the event loop busy, or give watchdog more time",
  ],
  timeout: [
    "systemd has ended the program, because it was not ready in time, or did not end in time when it was told to",
    "let it listen on all of its sockets, and end at SIGTERM",
  ],
  "oom-kill": ["the kernel has ended the program, because there was no memory left", "let it use less"],
  protocol: [
    "the program ended before it was ready",
    "let it listen on all of its sockets; activate() tells systemd then",
  ],
};
