/** How this process was started, to start another like it. */
import { realpathSync } from "node:fs";
import { isAbsolute } from "node:path";

/** The path on disk, so that after an upgrade it is the new version that starts. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

export function ownCommand(): Command {
  const { argv, execArgv } = process;
  // In a single executable the arguments of its own follow two names of it, and execArgv is part of it.
  if (isSingleExecutable()) return { file: ownPath(), args: argv.slice(2) };
  // The workers' inspectors would all want the same port.
  const options = execArgv.filter((option) => !option.startsWith("--inspect"));
  return { file: ownPath(), args: [...options, ...argv.slice(1)] };
}

// --- internal ---

function isSingleExecutable(): boolean {
  return process.getBuiltinModule?.("node:sea")?.isSea() ?? false;
}

/** As the caller wrote it, where it says the same: a symbolic link may lead elsewhere after an upgrade. */
function ownPath(): string {
  const { argv0, execPath } = process;
  try {
    return isAbsolute(argv0) && realpathSync(argv0) === execPath ? argv0 : execPath;
  } catch {
    return execPath;
  }
}
