import type { PackageRequest } from "../packager.ts";
import { maintainerOf } from "./maintainer.ts";
import { debianVersion } from "./version.ts";

/** A changelog with the one entry that the definition tells of, deb-changelog(5). */
export function changelogFile({ service, time }: PackageRequest): string {
  const date = new Date(time * 1000).toUTCString().replace("GMT", "+0000");
  return [
    `${service.packageName} (${debianVersion(service.version)}) unstable; urgency=medium`,
    "",
    `  * ${service.name} ${service.version}.`,
    "",
    ` -- ${maintainerOf(service)}  ${date}`,
    "",
  ].join("\n");
}
