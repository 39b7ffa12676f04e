import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./rouse.ts";

export interface Elsewhere extends Disposable {
  readonly folder: string;
  write(name: string, content: string): void;
}

/** What a user has: an empty folder far from this repository, with these files, and the packed npm file installed in it. */
export function installElsewhere(files: Readonly<Record<string, string>>): Elsewhere {
  const folder = mkdtempSync(join(tmpdir(), "rouse-elsewhere-"));
  const elsewhere: Elsewhere = {
    folder,
    write(name, content) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  for (const [name, content] of Object.entries(files)) elsewhere.write(name, content);
  const pack = ["pack", "--silent", "--pack-destination", folder];
  const packed = execFileSync("npm", pack, { cwd: root, encoding: "utf8" }).trim().split("\n").at(-1)!;
  execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", join(folder, packed)], {
    cwd: folder,
    stdio: "pipe",
  });
  return elsewhere;
}
