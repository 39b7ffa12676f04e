import type { Check } from "../doctor.ts";
import { ask } from "./ask.ts";
import { findProgram, type Host, howToGet } from "./host.ts";

/** Programs beside which Rouse is used, or which it will use. */
export async function examinePrograms(host: Host): Promise<Check[]> {
  return await Promise.all(programs.map(async (program) => await examineProgram(program, host)));
}

// --- internal ---

interface Program {
  readonly name: string;
  readonly for: string;
  readonly packages?: { readonly apt?: string; readonly dnf?: string; readonly brew?: string };
  readonly only?: { readonly platform: NodeJS.Platform; readonly otherwise: string };
  /** In place of a package. */
  readonly get?: string;
  /** How it is asked for its version; undefined: it has no such option, or takes long to answer. */
  readonly version?: { readonly args: readonly string[]; readonly pattern: RegExp };
}

const onlyLinux = { platform: "linux", otherwise: "only Linux has it" } as const;

const programs: readonly Program[] = [
  {
    name: "systemd-nspawn",
    for: "booting a Debian to try a package in (Rouse's own system tests)",
    packages: { apt: "systemd-container", dnf: "systemd-container" },
    only: onlyLinux,
    version: { args: ["--version"], pattern: /^systemd (\d+)/ },
  },
  {
    name: "inetd",
    for: "trying a server under a real inetd; rouse run --as inetd needs none",
    packages: { apt: "openbsd-inetd" },
  },
  {
    name: "xinetd",
    for: "trying a server under a real xinetd; rouse run --as inetd needs none",
    packages: { apt: "xinetd" },
    version: { args: ["-version"], pattern: /\b(\d+(?:\.\d+)+)/ },
  },
  {
    name: "dpkg",
    for: "installing a .deb; making one needs no program",
    packages: { apt: "dpkg", dnf: "dpkg", brew: "dpkg" },
    version: { args: ["--version"], pattern: /\bversion (\d[\w.]*)/ },
  },
  {
    name: "dpkg-deb",
    for: "looking into a .deb (dpkg-deb --info, --contents)",
    packages: { apt: "dpkg", dnf: "dpkg", brew: "dpkg" },
    version: { args: ["--version"], pattern: /\bversion (\d[\w.]*)/ },
  },
  // It needs more than a second to tell its version.
  { name: "lintian", for: "judging a .deb by Debian's rules", packages: { apt: "lintian" } },
  {
    name: "rpm",
    for: "installing and looking into a .rpm, which a later release makes",
    packages: { apt: "rpm", dnf: "rpm", brew: "rpm" },
    version: { args: ["--version"], pattern: /\bversion (\d[\w.]*)/ },
  },
  {
    name: "codesign",
    for: "signing executables for macOS, which a later release makes",
    only: { platform: "darwin", otherwise: "only macOS has it; rcodesign does the same elsewhere" },
    get: "xcode-select --install",
  },
  {
    name: "rcodesign",
    for: "signing executables for macOS, which a later release makes, on any machine",
    get: "cargo install apple-codesign",
    version: { args: ["--version"], pattern: /\b(\d+(?:\.\d+)+)/ },
  },
];

async function examineProgram(program: Program, host: Host): Promise<Check> {
  const { name, only, version: question } = program;
  const check = { name, for: program.for };
  if (only && only.platform !== host.platform) return { ...check, found: false, get: only.otherwise };
  const path = findProgram(name, host);
  const get = program.get ?? howToGet(name, program.packages ?? {}, host);
  if (path === undefined) return { ...check, found: false, get };
  if (question === undefined) return { ...check, found: true, path };
  const { text, failure } = await ask(path, question.args, host);
  if (failure)
    return {
      ...check,
      found: false,
      path,
      detail: `it ${failure}`,
      get: `see why ${path} ${question.args.join(" ")} fails`,
    };
  const version = question.pattern.exec(text)?.[1];
  return { ...check, found: true, version, path, detail: version ? undefined : "its version is unknown" };
}
