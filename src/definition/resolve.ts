import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Problem } from "../problem.ts";
import type { PackageFormat, Service, Target } from "../service.ts";
import { perConnectionProblems } from "./accept.ts";
import { credentialProblems } from "./credentials.ts";
import type { Definition } from "./definition.ts";
import { resolveDurations } from "./durations.ts";
import { execProblems, resolveExec } from "./exec.ts";
import { type Manifest, readAuthor } from "./manifest.ts";
import { archiveName, nameProblems } from "./names.ts";
import type { Purpose } from "./purpose.ts";
import { resolveSockets } from "./sockets.ts";

/**
 * Fills in the defaults and judges what takes more than one key.
 * @param definition one that has passed the schema and, for a build, not-yet
 * @param root the folder that its paths are relative to
 */
export function resolveService(
  definition: Definition,
  manifest: Manifest,
  root: string,
  { readFrom, purpose }: { readonly readFrom: readonly string[]; readonly purpose: Purpose },
): { service: Service; problems: Problem[] } {
  const { permissions = {}, directories = {}, systemd = {} } = definition;
  const { sockets, problems } = resolveSockets(definition.sockets ?? {});
  const { durations, problems: durationProblems } = resolveDurations(definition);
  const name = definition.name ?? manifest.name?.replace(/^@[^/]*\//, "") ?? "";
  const service: Service = {
    name,
    version: definition.version ?? manifest.version ?? "",
    description: definition.description ?? manifest.description ?? `The ${name} service`,
    license: definition.license ?? manifest.license ?? "UNLICENSED",
    author: readAuthor(definition.author) ?? manifest.author ?? { name: `${name} developers`, email: undefined },
    homepage: definition.homepage ?? manifest.homepage,
    packageName: definition.package?.name ?? archiveName(definition, manifest),
    root,
    entry: definition.entry === undefined ? undefined : resolve(root, definition.entry),
    exec: resolveExec(definition, root),
    args: definition.args ?? [],
    sockets,
    connection: {
      stdin: definition.connection?.stdin,
      stderr: definition.connection?.stderr ?? "journal",
      ignoreExit: definition.connection?.ignoreExit ?? false,
    },
    start: definition.start ?? "on-demand",
    permissions: { network: permissions.network ?? "none" },
    directories: {
      state: directories.state ?? false,
      cache: directories.cache ?? false,
      logs: directories.logs ?? false,
      configuration: directories.configuration ?? false,
    },
    environment: definition.environment ?? {},
    ...durations,
    workers: definition.workers ?? 0,
    credentials: definition.credentials ?? {},
    targets: [...new Set<Target>(definition.targets ?? ["linux-x64"])],
    packages: [...new Set<PackageFormat>(definition.packages ?? ["deb"])],
    systemd: { minimumVersion: systemd.minimumVersion ?? 252 },
    readFrom,
  };
  return {
    service,
    problems: [
      ...problems,
      ...durationProblems,
      ...credentialProblems(service.credentials),
      ...nameProblems(definition, service),
      ...(purpose.for === "build" ? versionProblems(service) : []),
      ...(service.exec === undefined ? entryProblems(service) : execProblems(service, purpose)),
      ...perConnectionProblems(definition, service),
      ...startProblems(service),
      ...idleProblems(service),
      ...groupProblems(service),
    ],
  };
}

// --- internal ---

function versionProblems({ version }: Service): Problem[] {
  const problem = (what: string, mend: string): Problem[] => [
    { code: "invalid-version", what, where: { key: "version" }, mend },
  ];
  if (version === "") return problem("the service has no version", "set version in the definition or in package.json");
  // It is part of file names, which end at 255 bytes.
  if (version.length > 100) return problem("the version has more than 100 characters", "choose a shorter one");
  return [];
}

function entryProblems({ entry }: Service): Problem[] {
  const problem = (what: string, mend: string): Problem[] => [
    { code: "no-entry", what, where: { key: "entry" }, mend },
  ];
  if (entry === undefined) {
    return problem(
      "the definition names no entry",
      'set entry to the file that starts the server, for example "src/server.ts"',
    );
  }
  if (existsSync(entry) && statSync(entry).isFile()) return [];
  return problem(`there is no file ${entry}`, "entry is relative to the folder of the definition");
}

function startProblems({ sockets, start }: Service): Problem[] {
  if (sockets.length > 0 || start === "boot") return [];
  return [
    {
      code: "never-starts",
      what: "the service has no socket and does not start at boot, so nothing would ever start it",
      where: { key: "sockets" },
      mend: 'give it a socket, for example sockets: { http: 80 }, or start: "boot"',
    },
  ];
}

/** Started at boot, it is wanted without a connection too; and once it has left, only a connection would bring it back. */
function idleProblems({ start, idleExit }: Service): Problem[] {
  if (start !== "boot" || idleExit === undefined) return [];
  return [
    {
      code: "invalid-definition",
      what: '"idleExit" ends what start: "boot" wants to have running',
      where: { key: "idleExit" },
      mend: 'leave one of the two out: start: "on-demand" with idleExit, or start: "boot" without',
    },
  ];
}

/** The socket is made before the service runs, and until then its dynamic user and group do not exist. */
function groupProblems({ name, sockets }: Service): Problem[] {
  return sockets
    .filter(({ group }) => group === name)
    .map((socket) => ({
      code: "invalid-definition",
      what: `the group "${name}" is the service's own dynamic one, which does not exist yet when the socket is made`,
      where: { key: `sockets.${socket.name}.group` },
      mend: "name a group of the system, for example adm",
    }));
}
