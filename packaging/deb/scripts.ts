import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { madeByRouse } from "../../src/made-by-rouse.ts";
import type { Service } from "../../src/service.ts";
import type { PackageRequest } from "../packager.ts";
import { type TreeFile, textFile } from "../tree.ts";

/**
 * The maintainer scripts of a package, deb-preinst(5) and its siblings, from the templates in scripts/ with this package's names in
 * place of each @WORD@.
 * @throws {Error} when a name has characters that the shell would not take for a plain word: the definition lets none through
 */
export async function maintainerScripts(request: PackageRequest): Promise<TreeFile[]> {
  const words = { ...inQuotes(wordsOf(request)), ...linesOf(request) };
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
    HANDOVER: service.workers === 0 ? [] : names(runnable.filter(({ kind }) => kind === "service")),
    BOOT: names(runnable.filter(({ kind, start }) => kind === "service" && start)),
    // Sockets first. Of a template, all its instances.
    STOPPED: names([...units].sort((a, b) => Number(b.kind === "socket") - Number(a.kind === "socket"))).map((name) =>
      isTemplate(name) ? name.replace("@.", "@*.") : name,
    ),
    SYSUSERS: inFolder("sysusers.d"),
    TMPFILES: inFolder("tmpfiles.d"),
    DIRECTORIES: directoriesOf(service),
    PROPERTIES: [socketProperties],
  };
}

/** Whole lines. In the shell nothing in them has a meaning: they stand in a here-document or are our own. */
function linesOf({ files }: PackageRequest): Readonly<Record<string, string>> {
  return {
    MADE: madeByRouse,
    // Where Debian has two names for each folder, /lib and /usr/lib.
    FILES: files
      .map(({ path }) => path)
      .filter((path) => /^\/usr\/(bin|sbin|lib\w*)\//.test(path))
      .map((path) => path.slice(1))
      .join("\n"),
  };
}

/**
 * What systemctl(1) shows of a socket's settings. A name that a version of systemd does not know is left out there. ActiveState tells
 * apart the sockets that did not run, which have nothing to stop.
 */
const socketProperties =
  "Accept,ActiveState,Backlog,BindIPv6Only,BindToDevice,Broadcast,DeferAcceptUSec,DirectoryMode,FileDescriptorName,FlushPending," +
  "FreeBind,IPTOS,IPTTL,KeepAlive,KeepAliveIntervalUSec,KeepAliveProbes,KeepAliveTimeUSec,Listen,Mark,MaxConnections," +
  "MaxConnectionsPerSource,MessageQueueMaxMessages,MessageQueueMessageSize,NoDelay,PassCredentials,PassFileDescriptorsToExec," +
  "PassPacketInfo,PassSecurity,PipeSize,PollLimitBurst,PollLimitIntervalUSec,Priority,ReceiveBuffer,RemoveOnStop,ReusePort," +
  "SendBuffer,SmackLabel,SmackLabelIPIn,SmackLabelIPOut,SocketGroup,SocketMode,SocketProtocol,SocketUser,Symlinks,TCPCongestion," +
  "TimeoutUSec,Timestamping,Transparent,TriggerLimitBurst,TriggerLimitIntervalUSec,Triggers,Writable";

function directoriesOf({ name, directories }: Service): string[] {
  const places = { state: "/var/lib", cache: "/var/cache", logs: "/var/log", configuration: "/etc" } as const;
  return (Object.keys(places) as (keyof typeof places)[])
    .filter((kind) => directories[kind])
    .map((kind) => `${places[kind]}/${name}`);
}

/** @throws {Error} for a word that is none inside of '' */
function inQuotes(words: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, string>> {
  const isOdd = (word: string) => !/^[A-Za-z0-9/_+:.,@*-]+$/.test(word) || /(^|\/)\.{1,2}(\/|$)/.test(word);
  const odd = Object.values(words).flat().find(isOdd);
  if (odd !== undefined) throw new Error(`"${odd}" cannot stand in a maintainer script`);
  return Object.fromEntries(Object.entries(words).map(([key, list]) => [key, list.join(" ")]));
}

function expand(template: string, words: Readonly<Record<string, string>>): string {
  return template.replace(/@([A-Z]+)@/g, (_, key: string) => {
    const word = words[key];
    if (word === undefined) throw new Error(`the maintainer scripts know no @${key}@`);
    return word;
  });
}
