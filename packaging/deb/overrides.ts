import type { PackageRequest } from "../packager.ts";

/** What lintian would call an error although it is meant so, each with its reason: /usr/share/lintian/overrides/PACKAGE, lintian(1). */
export function lintianOverrides({ service, licenses }: PackageRequest): string {
  const embeds = licenses.some(({ title }) => title !== service.name);
  const overrides = embeds ? [...always, ...embedding] : always;
  return overrides
    .map(({ reason, tags }) =>
      [...reason.map((row) => `# ${row}\n`), ...tags.map((tag) => `${service.packageName}: ${tag}\n`)].join(""),
    )
    .join("\n");
}

// --- internal ---

interface Override {
  readonly reason: readonly string[];
  readonly tags: readonly string[];
}

const always: readonly Override[] = [
  {
    reason: ["dpkg reads zstd since 1.21.18; lintian's list of compressions is that of the Debian archive."],
    tags: ["malformed-deb-archive third (official) member data.tar.zst not data.tar.(gz|xz|bz2|lzma)"],
  },
  {
    reason: ["Made for a repository of its own: no bug in Debian's tracker asks for it."],
    tags: ["initial-upload-closes-no-bugs *"],
  },
];

/** For executables that hold a whole JavaScript runtime, which the licence texts tell. */
const embedding: readonly Override[] = [
  {
    reason: [
      "One executable with its runtime inside: Node.js is built with its own versions of these libraries,",
      "and at a fixed address.",
    ],
    tags: ["embedded-library *", "hardening-no-pie *"],
  },
  {
    reason: ["The licence of Node.js, word for word, with those of everything that it is made of."],
    tags: ["copyright-file-contains-full-apache-2-license", "old-fsf-address-in-copyright-file"],
  },
];
