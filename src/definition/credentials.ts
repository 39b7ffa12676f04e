import { normalize } from "node:path/posix";
import type { Problem } from "../problem.ts";

/** What the program finds in $CREDENTIALS_DIRECTORY: short ASCII names that need no escape, a part of what systemd takes. */
export const CREDENTIAL_NAME: RegExp = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99}$/;

/** What is wrong with where the credentials come from: an absolute path, or a name that systemd looks up (systemd.exec(5), LoadCredential=). */
export function credentialProblems(credentials: Readonly<Record<string, string>>): Problem[] {
  return Object.entries(credentials).flatMap(([name, source]) => {
    const fault = source.startsWith("/") ? pathFault(source) : nameFault(source);
    return fault === undefined ? [] : [{ code: "invalid-definition", where: { key: `credentials.${name}` }, ...fault }];
  });
}

// --- internal ---

type Fault = Pick<Problem, "what" | "mend"> | undefined;

function pathFault(path: string): Fault {
  if (/\p{Cc}/u.test(path)) return { what: "the path has a control character", mend: "leave it out" };
  // systemd 257 reads its own note of them wrong, and the service never starts: "Failed to deserialize", 243/CREDENTIALS.
  if (/[\s\\"']/.test(path)) {
    const what = `the path ${JSON.stringify(path)} has a space, a quote or a backslash, which systemd 257 gets wrong`;
    return { what, mend: "rename the file, or give it a name without by a symbolic link" };
  }
  // systemd would load every file of a folder, under names that the program does not know.
  if (path.endsWith("/")) return { what: `the path "${path}" names a folder`, mend: "name each file in it" };
  const plain = normalize(path);
  return plain === path ? undefined : { what: `the path "${path}" goes a roundabout way`, mend: `write "${plain}"` };
}

function nameFault(name: string): Fault {
  if (CREDENTIAL_NAME.test(name)) return undefined;
  const what = `"${name}" is neither an absolute path nor the name of a credential`;
  return { what, mend: 'write it from the root, for example "/etc/lunchd/tls.key"' };
}
