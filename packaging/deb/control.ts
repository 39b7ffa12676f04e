import type { Target } from "../../src/service.ts";
import type { PackageRequest } from "../packager.ts";
import type { TreeEntry } from "../tree.ts";
import { dependsOn } from "./depends.ts";
import { descriptionField } from "./description.ts";
import { maintainerOf } from "./maintainer.ts";
import { debianVersion } from "./version.ts";

/**
 * The control file of a binary package, deb-control(5).
 * @throws {RouseError} for libraries that no Debian package is known for
 */
export function controlFile(request: PackageRequest, tree: readonly TreeEntry[]): string {
  const { service, target } = request;
  const fields = {
    Package: service.packageName,
    Version: debianVersion(service.version),
    Architecture: architectures[target],
    Maintainer: maintainerOf(service),
    "Installed-Size": String(installedSize(tree)),
    Depends: dependsField(request),
    Section: "net",
    Priority: "optional",
    Homepage: service.homepage?.trim().split(/\s/)[0],
    Description: descriptionField(service),
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value ? [`${name}: ${value}\n`] : []));
  return lines.join("");
}

export const architectures: Readonly<Partial<Record<Target, string>>> = {
  "linux-x64": "amd64",
  "linux-arm64": "arm64",
};

// --- internal ---

/** In KiB, as dpkg-gencontrol(1) counts: every file rounded up, and one for every other thing. */
function installedSize(tree: readonly TreeEntry[]): number {
  return tree.reduce((sum, entry) => sum + (entry.kind === "file" ? Math.ceil(entry.size / 1024) : 1), 0);
}

/** The tools that the scripts call beside the essential ones come with systemd, or alone for systems without it (Debian Policy 9.3). */
function dependsField({ libraries, files }: PackageRequest): string {
  const has = (folder: string) => files.some(({ path }) => path.startsWith(`/usr/lib/${folder}/`));
  const tools = [
    has("sysusers.d") && "systemd | systemd-standalone-sysusers | systemd-sysusers",
    has("tmpfiles.d") && "systemd | systemd-standalone-tmpfiles | systemd-tmpfiles",
  ];
  return [dependsOn(libraries), ...tools].filter(Boolean).join(", ");
}
