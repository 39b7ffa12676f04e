import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Problem, RouseError } from "../../problem.ts";
import { type EnvironmentLine, environmentLines } from "./environment-lines.ts";

export interface EnvironmentFile {
  readonly variables: Readonly<Record<string, string>>;
  /** What is left out, and what is read in a way that few expect. */
  readonly warnings: readonly Problem[];
}

/**
 * Reads a file of variables as systemd does for a service (systemd.exec(5), EnvironmentFile=), so that what works here works installed.
 * Of two assignments to a name the later one holds; nothing is expanded; a `#` behind a value is part of it.
 * @param file as the user wrote it
 * @throws {RouseError} where it cannot be read, or systemd would take none of it
 */
export function readEnvironmentFile(file: string): EnvironmentFile {
  const text = readBytes(file).toString("latin1"); // Names and values must be UTF-8, a comment need not be.
  const nul = text.indexOf("\0");
  if (nul >= 0) throw refused(file, "a NUL character", text.slice(0, nul).split("\n").length);
  const variables = new Map<string, string>();
  const warnings: Problem[] = [];
  for (const found of environmentLines(text)) {
    const warning = judge(found);
    if (warning) warnings.push({ ...warning, where: { file: resolve(file), line: found.line } });
    if (found.is !== "assignment") continue;
    const [name, value] = [decode(found.name), decode(found.value)];
    if (name === undefined || value === undefined) throw refused(file, "what is not UTF-8", found.line);
    if (isName(name)) variables.set(name, value);
  }
  return { variables: Object.fromEntries(variables), warnings };
}

// --- internal ---

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const what = {
      ENOENT: `there is no environment file ${file}`,
      EISDIR: `the environment file ${file} is a folder`,
      ENOTDIR: `a part of the path ${file} is a file and no folder`,
      EACCES: `the environment file ${file} may not be read`,
    }[code];
    if (what === undefined) throw error;
    const mend = "name a file of lines like NAME=value, or leave --environment-file out";
    throw new RouseError({ code: "environment-file-unreadable", what, mend }, { cause: error });
  }
}

function refused(file: string, found: string, line: number): RouseError {
  return new RouseError({
    code: "environment-file-refused",
    what: `the environment file holds ${found}, and systemd would take nothing of it`,
    where: { file: resolve(file), line },
    mend: "save it as UTF-8 text",
  });
}

/** utf-8(7); systemd takes none of the code points that Unicode will never assign. */
function decode(latin1: string): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(latin1, "latin1"));
    return /\p{Noncharacter_Code_Point}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function isName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

function judge(found: EnvironmentLine): Omit<Problem, "where"> | undefined {
  switch (found.is) {
    case "assignment":
      return isName(found.name) ? undefined : wrongName(found.name);
    case "no-assignment":
      return {
        code: "environment-file-line",
        what: `"${shown(found.text)}" has no "=" and is ignored`,
        mend: 'write NAME=value, or a "#" in front of it',
      };
    case "unclosed-quote":
      return {
        code: "environment-file-quote",
        what: `the ${found.quote} is not closed, and so the rest of the file is in this value`,
        mend: `close it, or write the value without it; a quote that is part of the value stands after a backslash`,
      };
    case "continued-comment":
      return {
        code: "environment-file-comment",
        what: "the comment ends in a backslash: systemd before 254 takes the next line for a part of it, too",
        mend: "take the backslash away",
      };
  }
}

function wrongName(latin1: string): Omit<Problem, "where"> {
  const name = shown(latin1);
  const what = `"${name}" is no name of a variable, and the line is ignored`;
  if (name.startsWith("\ufeff")) {
    return { code: "environment-file-name", what, mend: "save the file without a byte order mark" };
  }
  const exported = /^export[ \t]+(\w+)$/.exec(name)?.[1];
  const mend = exported
    ? `write ${exported}= without "export", which only a shell knows`
    : "a name has letters, digits and _, and does not start with a digit";
  return { code: "environment-file-name", what, mend };
}

function shown(latin1: string): string {
  const text = decode(latin1) ?? latin1;
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
