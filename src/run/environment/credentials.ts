import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { CREDENTIAL_NAME } from "../../definition/credentials.ts";
import { nearest } from "../../nearest.ts";
import { type Problem, RouseError } from "../../problem.ts";

/**
 * Makes the folder that the program finds as $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=), with a file of mode 0400 for each.
 * @param defined the definition's: name -> absolute path, or a name that only systemd looks up; undefined: there is no definition, and any name may be given
 * @param given on the command line, "NAME=FILE" each; of two for a name the later one holds
 * @returns false where there are none, and no folder then
 * @throws {RouseError} with every one that is wrong or cannot be read
 */
export function prepareCredentials(folder: string, defined: Defined, given: readonly string[]): boolean {
  const wrong = given.flatMap((text) => problemOf(text, defined) ?? []);
  const files = new Map(given.filter((text) => !problemOf(text, defined)).map(split));
  const names = [...new Set([...Object.keys(defined ?? {}), ...files.keys()])];
  const loaded = names.map((name) => load(name, files.get(name), defined?.[name]));
  const problems = [...wrong, ...loaded.filter((one) => "what" in one)];
  const credentials = loaded.filter((one) => "content" in one);
  const bytes = credentials.reduce((sum, { name, content }) => sum + name.length + content.length, 0);
  if (bytes > limit) problems.push(tooLarge(bytes));
  if (problems.length > 0) throw new RouseError(problems);
  if (names.length === 0) return false;
  mkdirSync(folder, { mode: 0o700 });
  for (const { name, content } of credentials) writeFileSync(join(folder, name), content, { mode: 0o400 });
  chmodSync(folder, 0o500);
  return true;
}

// --- internal ---

type Defined = Readonly<Record<string, string>> | undefined;

interface Credential {
  readonly name: string;
  readonly content: Buffer;
}

function split(text: string): [name: string, file: string] {
  const equals = text.indexOf("=");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function problemOf(text: string, defined: Defined): Problem | undefined {
  const [name, file] = split(text);
  if (!text.includes("=") || name === "" || file === "") {
    const mend = "write NAME=FILE, for example --credential tls.key=./dev.key";
    return {
      code: "wrong-credential",
      what: `"--credential ${text}" does not say which credential is in which file`,
      mend,
    };
  }
  if (defined && !Object.hasOwn(defined, name)) return unknown(name, Object.keys(defined));
  if (CREDENTIAL_NAME.test(name)) return undefined;
  const mend = "letters, digits, _ . @ + - and at most 100 characters, not starting with . @ + or -";
  return { code: "wrong-credential", what: `"${name}" is no name of a credential`, mend };
}

function unknown(name: string, known: readonly string[]): Problem {
  const near = nearest(name, known);
  const all = known.length === 0 ? "it has no credentials" : `its credentials are ${known.join(", ")}`;
  const mend = near ? `did you mean "${near}"?` : `add it to the definition's "credentials", or leave it out; ${all}`;
  return { code: "unknown-credential", what: `the definition has no credential "${name}"`, mend };
}

function load(name: string, file: string | undefined, source: string | undefined): Credential | Problem {
  const path = file ?? source!;
  if (file === undefined && !isAbsolute(path)) {
    return unreadable(name, `the credential "${name}" is "${path}", which only systemd looks up`, false);
  }
  try {
    return { name, content: readFileSync(path) };
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const why = reasons[code];
    if (why === undefined) throw error;
    // A shell leaves it there behind the "=".
    const home = file?.startsWith("~/") ? "; write $HOME instead of ~" : "";
    return unreadable(name, `the credential "${name}" is not there: ${path} ${why}${home}`, file !== undefined);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "may not be read by you",
  EPERM: "may not be read by you",
  EISDIR: "is a folder",
  ELOOP: "is a link to itself",
};

function unreadable(name: string, what: string, isGiven: boolean): Problem {
  if (isGiven) return { code: "credential-unreadable", what, mend: "name a file that you may read" };
  const mend = `name a file to develop with: --credential ${name}=./dev.${name.split(".").at(-1)}`;
  return { code: "credential-unreadable", what, where: { key: `credentials.${name}` }, mend };
}

/** What systemd 252 and 257 take for one service, all of them and their names together. */
const limit = 1024 * 1024;

function tooLarge(bytes: number): Problem {
  const what = `the credentials are ${bytes} bytes together, and systemd takes 1 MiB for a service`;
  return {
    code: "credentials-too-large",
    what,
    mend: "keep in them what is secret, and the rest in a file of the service",
  };
}
