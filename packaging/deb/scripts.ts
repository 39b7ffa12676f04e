import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import type { Service } from "../../src/service.ts";
import type { PackageRequest } from "../packager.ts";
import { type TreeFile, textFile } from "../tree.ts";

/**
 * The maintainer scripts of a package, deb-preinst(5) and its siblings, from the templates in scripts/ with this package's names in
 * place of each @WORD@.
 * @throws {Error} when a name has characters that the shell would not take for a plain word: the definition lets none through
 */
export async function maintainerScripts(request: PackageRequest): Promise<TreeFile[]> {
  const words = wordsOf(request);
  return Promise.all(
    ["postinst", "postrm", "preinst", "prerm"].map(async (name) => {
      const template = await readFile(new URL(`./scripts/${name}.sh`, import.meta.url), "utf8");
      return textFile(`/${name}`, 0o755, expand(template, words));
    }),
  );
}

// --- internal ---

function wordsOf({ service, units, files }: PackageRequest): Readonly<Record<string, readonly string[]>> {
  const isTemplate = (name: string) => name.includes("@.");
  const runnable = units.filter(({ name }) => !isTemplate(name));
  const names = (list: typeof units) => list.map(({ name }) => name);
  const inFolder = (folder: string) =>
    files.filter(({ path }) => posix.dirname(path) === `/usr/lib/${folder}`).map(({ path }) => posix.basename(path));
  return {
    PACKAGE: [service.packageName],
    ENABLED: names(units.filter(({ installable }) => installable)),
    SOCKETS: names(runnable.filter(({ kind }) => kind === "socket")),
    SERVICES: names(runnable.filter(({ kind }) => kind === "service")),
    BOOT: names(runnable.filter(({ kind, start }) => kind === "service" && start)),
    // Sockets first. Of a template, all its instances.
    STOPPED: names([...units].sort((a, b) => Number(b.kind === "socket") - Number(a.kind === "socket"))).map((name) =>
      isTemplate(name) ? name.replace("@.", "@*.") : name,
    ),
    SYSUSERS: inFolder("sysusers.d"),
    TMPFILES: inFolder("tmpfiles.d"),
    DIRECTORIES: directoriesOf(service),
  };
}

function directoriesOf({ name, directories }: Service): string[] {
  const places = { state: "/var/lib", cache: "/var/cache", logs: "/var/log", configuration: "/etc" } as const;
  return (Object.keys(places) as (keyof typeof places)[])
    .filter((kind) => directories[kind])
    .map((kind) => `${places[kind]}/${name}`);
}

function expand(template: string, words: Readonly<Record<string, readonly string[]>>): string {
  return template.replace(/@([A-Z]+)@/g, (_, key: string) => {
    const list = words[key];
    if (list === undefined) throw new Error(`the maintainer scripts know no @${key}@`);
    const odd = list.find((word) => !/^[A-Za-z0-9/_+:.@*-]+$/.test(word) || /(^|\/)\.{1,2}(\/|$)/.test(word));
    if (odd !== undefined) throw new Error(`"${odd}" cannot stand in a maintainer script`);
    return list.join(" ");
  });
}
