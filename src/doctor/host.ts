import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** The machine that is looked at, and by whom. */
export interface Host {
  readonly platform: NodeJS.Platform;
  readonly uid: number;
  readonly env: NodeJS.ProcessEnv;
  /** Where programs are looked for. */
  readonly path: readonly string[];
  /** By what programs are installed; undefined: unknown. */
  readonly installer: "apt" | "dnf" | "brew" | undefined;
  /** Absolute: Rouse's cache, where a build's output would go, and where temporary files go. */
  readonly folders: { readonly cache: string; readonly output: string; readonly temporary: string };
  /** Milliseconds that a program has for its answer. */
  readonly patience: number;
}

export function describeHost(options: Pick<Host, "platform" | "uid" | "env" | "folders">): Host {
  const own = (options.env.PATH ?? "").split(delimiter).filter(isAbsolute);
  return {
    ...options,
    // Where inetd lies, and many others that a plain user's PATH lacks.
    path: [...new Set([...own, "/usr/local/sbin", "/usr/sbin", "/sbin"])],
    installer: installerOf(options.platform, readIfThere("/etc/os-release") ?? readIfThere("/usr/lib/os-release")),
    patience: 5000,
  };
}

/** By what programs are installed, by the platform and the text of os-release(5). */
export function installerOf(platform: NodeJS.Platform, osRelease = ""): Host["installer"] {
  if (platform === "darwin") return "brew";
  const of = (key: string): string => new RegExp(`^${key}=["']?([^"'\n]*)`, "m").exec(osRelease)?.[1] ?? "";
  const ids = `${of("ID")} ${of("ID_LIKE")}`.split(" ");
  if (ids.includes("debian") || ids.includes("ubuntu")) return "apt";
  return ids.includes("fedora") || ids.includes("rhel") ? "dnf" : undefined;
}

/** Where a program lies. */
export function findProgram(name: string, { path }: Host): string | undefined {
  return path.map((folder) => join(folder, name)).find(isProgram);
}

/** How to get the package that brings a program, by its name for each installer. Undefined: the installer has none that is known. */
export function howToGet(
  program: string,
  packages: { readonly apt?: string; readonly dnf?: string; readonly brew?: string },
  { installer, platform }: Host,
): string {
  const name = installer && packages[installer];
  if (name) return `${installer === "apt" ? "apt-get" : installer} install ${name}`;
  if (installer === "dnf") return `dnf provides '*/bin/${program}' tells whether a package has it`;
  return platform === "darwin"
    ? "not packaged for macOS as far as Rouse knows"
    : `install the package that has ${program}`;
}

export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

// --- internal ---

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
