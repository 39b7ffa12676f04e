import type { PackageRequest } from "../packager.ts";
import { maintainerOf } from "./maintainer.ts";

/**
 * The copyright file that Debian Policy 12.5 asks for, in its machine-readable form (copyright-format 1.0): the service under its
 * licence, then the licence of each thing inside. A licence text with the service's own name for a title is the service's.
 */
export function copyrightFile({ service, time, licenses }: PackageRequest): string {
  const own = licenses.find(({ title }) => title === service.name);
  const inside = licenses.filter((license) => license !== own);
  const head = [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    `Upstream-Name: ${service.name}`,
    `Upstream-Contact: ${maintainerOf(service)}`,
    ...(service.homepage ? [`Source: ${line(service.homepage)}`] : []),
    ...(inside.length > 0
      ? [`Comment: Also contains ${inside.map(({ title }) => title).join(", ")}, under the licences below.`]
      : []),
  ];
  const files = [
    "Files: *",
    `Copyright: ${new Date(time * 1000).getUTCFullYear()} ${line(service.author.name) || service.name}`,
    `License: ${line(service.license) || "unknown"}`,
    body(own?.text ?? pointer(service.license)),
  ];
  const others = inside.map(({ title, text }) => [`License: ${line(title).replace(/\s+/g, "-")}`, body(text)]);
  return [head, files, ...others].map((paragraph) => `${paragraph.join("\n")}\n`).join("\n");
}

// --- internal ---

/** What Debian itself installs in /usr/share/common-licenses (base-files), by SPDX identifier. */
const common: Readonly<Record<string, string>> = {
  "Apache-2.0": "Apache-2.0",
  "Artistic-1.0-Perl": "Artistic",
  "CC0-1.0": "CC0-1.0",
  "GPL-1.0": "GPL-1",
  "GPL-2.0": "GPL-2",
  "GPL-3.0": "GPL-3",
  "LGPL-2.0": "LGPL-2",
  "LGPL-2.1": "LGPL-2.1",
  "LGPL-3.0": "LGPL-3",
  "MPL-1.1": "MPL-1.1",
  "MPL-2.0": "MPL-2.0",
};

function pointer(expression: string): string {
  const file = common[expression.replace(/-only$|-or-later$/, "")];
  if (file !== undefined) return `The full text is in /usr/share/common-licenses/${file} on Debian systems.`;
  return `The terms are those that https://spdx.org/licenses/ lists under this name.`;
}

/** Continuation lines begin with a space; an empty line is a dot. */
function body(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .trim()
    .split("\n")
    .map((row) => (row.trim() === "" ? " ." : ` ${row.trimEnd()}`))
    .join("\n");
}

function line(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
