import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { posix } from "node:path";
import { type Problem, RouseError } from "../src/problem.ts";
import type { PackageFile } from "./packager.ts";

/** What an archive holds: the files of a request with every directory above them. */
export type TreeEntry = TreeDirectory | TreeFile | TreeLink;

export interface TreeDirectory {
  readonly kind: "directory";
  readonly path: string;
  readonly mode: number;
}

export interface TreeFile {
  readonly kind: "file";
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly conffile: boolean;
  read(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export interface TreeLink {
  readonly kind: "link";
  readonly path: string;
  readonly target: string;
}

/**
 * Puts the files in the order of their paths, parents first, with the root ("/") and all directories between.
 * @throws {RouseError} for a path that no archive can hold, two files at one path, a missing source
 */
export async function plantTree(files: readonly PackageFile[]): Promise<TreeEntry[]> {
  const problems = files.flatMap(pathProblems);
  if (problems.length > 0) throw new RouseError(problems);

  const entries = new Map<string, TreeEntry>();
  for (const file of files) {
    if (entries.has(file.path)) throw new RouseError(clash(file.path));
    entries.set(file.path, await entryOf(file));
  }
  for (const { path } of files) {
    let parent = posix.dirname(path);
    for (; !entries.has(parent); parent = posix.dirname(parent)) {
      entries.set(parent, { kind: "directory", path: parent, mode: 0o755 });
    }
    if (entries.get(parent)!.kind !== "directory") throw new RouseError(clash(parent));
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A file whose bytes are at hand. */
export function textFile(path: string, mode: number, content: string | Uint8Array): TreeFile {
  const bytes = Buffer.from(content);
  return { kind: "file", path, mode, size: bytes.length, conffile: false, read: () => [bytes] };
}

// --- internal ---

const readSize = 1024 * 1024;

async function entryOf({ path, mode, content, conffile }: PackageFile): Promise<TreeEntry> {
  if (content.kind === "link") return { kind: "link", path, target: content.target };
  if (content.kind === "text") return { ...textFile(path, mode, content.text), conffile };
  const { source } = content;
  const fail = (cause: NodeJS.ErrnoException): never => {
    throw new RouseError(unreadable(path, source, `cannot be read (${cause.code})`), { cause });
  };
  const found = await stat(source).catch(fail);
  if (!found.isFile()) throw new RouseError(unreadable(path, source, "is not a regular file"));
  // Told apart here from what goes wrong where the archive is written.
  const read = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(source, { highWaterMark: readSize });
    } catch (cause) {
      fail(cause as NodeJS.ErrnoException);
    }
  };
  return { kind: "file", path, mode, size: found.size, conffile, read };
}

/** NAME_MAX and PATH_MAX are the kernel's; a control character would break the lists of names that packages carry. */
function pathProblems({ path, content, conffile }: PackageFile): Problem[] {
  const refuse = (what: string, mend: string): Problem => ({ code: "package-path", what, mend });
  const shown = JSON.stringify(path);
  if (!path.startsWith("/") || posix.normalize(path) !== path || path.endsWith("/")) {
    return [
      refuse(`${shown} is no place to install a file`, "give an absolute path without . and .. and double slashes"),
    ];
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\0-\x1f\x7f]/.test(path) || !path.isWellFormed()) {
    return [refuse(`the file name ${shown} has characters that a package cannot list`, "rename the file")];
  }
  if (path.split("/").some((name) => Buffer.byteLength(name) > 255) || Buffer.byteLength(path) > 4095) {
    return [refuse(`the path ${shown} is longer than Linux allows`, "shorten the file's name")];
  }
  if (conffile && content.kind === "link") {
    return [refuse(`${shown} is a link and cannot be a configuration file`, "ship the file itself")];
  }
  return [];
}

function clash(path: string): Problem {
  return {
    code: "package-path",
    what: `two files of the package want to be at ${path}`,
    mend: "rename one of them in the definition's files",
  };
}

function unreadable(path: string, source: string, why: string): Problem {
  return {
    code: "package-source",
    what: `${source}, to be installed as ${path}, ${why}`,
    where: { file: source },
    mend: "give a regular file that you may read",
  };
}
