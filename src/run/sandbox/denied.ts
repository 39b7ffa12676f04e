/**
 * From a call that failed under the sandbox to the setting that denied it, and to what of the definition would allow it. A rule says
 * something only where nothing but that setting explains the failure, or where a look from outside tells; else it says "probably" or nothing.
 */
import type { Unit } from "../../../systemd/unit.ts";
import type { Problem } from "../../problem.ts";
import { type Confinement, denialRules, NO_KEY } from "./denial-rules.ts";
import type { Failure } from "./failure.ts";

/** @returns undefined where it is not known that the sandbox has denied it */
export function denied(failure: Failure, confinement: Confinement): Problem | undefined {
  for (const rule of denialRules) {
    const verdict = rule(failure, confinement);
    if (verdict === "not the sandbox") return undefined;
    if (!verdict) continue;
    const settings = inForce(verdict.settings, confinement.unit);
    if (verdict.settings.length > 0 && settings.length === 0) continue;
    const by = settings.length > 0 ? `${verdict.isGuess ? "probably " : ""}denied by ${settings.join(" and ")}: ` : "";
    return {
      code: verdict.settings.length > 0 ? "sandbox-denied" : "not-installed",
      what: `${by}${verdict.what ?? failure.text}`,
      ...(verdict.key && { where: { key: verdict.key } }),
      mend: verdict.mend,
    };
  }
  return undefined;
}

/** A step at which systemd gave up before the program ran (systemd.exec(5), "Process Exit Codes"), or an end by SIGSYS. */
export function deniedStep(step: string, detail: string, unit: Unit): Problem | undefined {
  const known = steps[step];
  if (!known)
    return {
      code: "not-started",
      what: `systemd failed at the step ${step} before the program ran: ${detail}`,
      mend: "see systemd.exec(5), Process Exit Codes",
    };
  const settings = inForce(known.settings, unit);
  return {
    code: "sandbox-denied",
    what: `${known.what}${settings.length > 0 ? ` (${settings.join(" and ")})` : ""}${detail && `: ${detail}`}`,
    mend: known.mend,
  };
}

// --- internal ---

/** Those that the unit has, as they stand in an installed one. */
function inForce(wanted: readonly string[], { entries }: Unit): string[] {
  return wanted.flatMap((wish) => {
    const [directive, beginning = ""] = wish.split("=");
    const entry = entries.find(({ name, value }) => name === directive && value.startsWith(beginning));
    // A user's manager has it in another form (systemd/desk-units.ts).
    return entry ? [`${entry.name}=${entry.name === "ProtectHome" ? "yes" : entry.value}`] : [];
  });
}

const steps: Readonly<Record<string, { settings: readonly string[]; what: string; mend: string }>> = {
  SIGSYS: {
    settings: ["SystemCallArchitectures"],
    what: "a system call of another architecture ended the program",
    mend: `build native code for this one; ${NO_KEY}`,
  },
  EXEC: {
    settings: ["NoExecPaths", "ExecPaths"],
    what: "the program could not be executed",
    mend: "a script needs an interpreter, which the sandbox does not execute; a program must be executable and for this architecture",
  },
  NAMESPACE: {
    settings: [],
    what: "the machine could not set up the sandbox's view of the file system",
    mend: "a container may not allow it, or a file that is bound into the sandbox is gone: see the reason that systemd gives",
  },
  CAPABILITIES: {
    settings: ["CapabilityBoundingSet"],
    what: "systemd could not take the capabilities away",
    mend: "this machine has no user namespaces for plain users: run it as root",
  },
  USER: {
    settings: ["PrivateUsers", "DynamicUser"],
    what: "systemd could not make a user of its own for the program",
    mend: "this machine has no user namespaces: run it as root, or outside of a container",
  },
  CREDENTIALS: {
    settings: ["LoadCredential"],
    what: "systemd could not hand the credentials over",
    mend: "see that the files of --credential are there and may be read",
  },
};
