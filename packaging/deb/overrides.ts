import type { PackageRequest } from "../packager.ts";

/** What lintian would call an error although it is meant so, each with its reason: /usr/share/lintian/overrides/PACKAGE, lintian(1). */
export function lintianOverrides({ service, licenses }: PackageRequest): string {
  const embeds = licenses.some(({ title }) => title !== service.name);
  const overrides = embeds ? [...always, ...embedding] : always;
  return overrides
    .map(({ reason, tag }) => `${reason.map((row) => `# ${row}\n`).join("")}${service.packageName}: ${tag}\n`)
    .join("\n");
}

// --- internal ---

interface Override {
  readonly reason: readonly string[];
  readonly tag: string;
}

const always: readonly Override[] = [
  {
    reason: ["dpkg reads zstd since 1.21.18; lintian's list of compressions is that of the Debian archive."],
    tag: "malformed-deb-archive third (official) member data.tar.zst not data.tar.(gz|xz|bz2|lzma)",
  },
];

/** For executables that hold a whole JavaScript runtime, which the licence texts tell. */
const embedding: readonly Override[] = [
  {
    reason: ["One executable with its runtime inside: Node.js is built with its own versions of these libraries."],
    tag: "embedded-library *",
  },
];
