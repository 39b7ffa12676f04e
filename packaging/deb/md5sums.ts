import { createHash, type Hash } from "node:crypto";
import type { TreeEntry, TreeFile } from "../tree.ts";

/** The files of a package with their digests, taken while the archive reads them, so that 120 MB are read once. */
export class Md5Sums {
  readonly entries: readonly TreeEntry[];
  readonly #hashes = new Map<string, Hash>();

  constructor(tree: readonly TreeEntry[]) {
    this.entries = tree.map((entry) => (entry.kind === "file" ? this.#watch(entry) : entry));
  }

  /** The md5sums file, deb-md5sums(5), once the entries have been read. The administrator's files are not in it, as with dh_md5sums(1). */
  text(): string {
    const files = this.entries.filter((entry) => entry.kind === "file" && !entry.conffile);
    return files.map(({ path }) => `${this.#hashes.get(path)!.copy().digest("hex")}  ${path.slice(1)}\n`).join("");
  }

  #watch(file: TreeFile): TreeFile {
    const hashes = this.#hashes;
    return {
      ...file,
      async *read() {
        const hash = createHash("md5");
        hashes.set(file.path, hash);
        for await (const chunk of file.read()) {
          hash.update(chunk);
          yield chunk;
        }
      },
    };
  }
}
