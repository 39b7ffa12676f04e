import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Problem } from "../problem.ts";
import type { PackageFormat, Service, Target } from "../service.ts";
import type { Definition } from "./definition.ts";
import { type Manifest, readAuthor } from "./manifest.ts";
import { resolveSockets } from "./sockets.ts";

/**
 * Fills in the defaults and judges what takes more than one key.
 * @param definition one that has passed the schema and not-yet
 * @param root the folder that its paths are relative to
 */
export function resolveService(
  definition: Definition,
  manifest: Manifest,
  root: string,
): { service: Service; problems: Problem[] } {
  const { permissions = {}, directories = {}, systemd = {} } = definition;
  const { sockets, problems } = resolveSockets(definition.sockets ?? {});
  const name = definition.name ?? manifest.name?.replace(/^@[^/]*\//, "") ?? "";
  const entry = resolve(root, definition.entry ?? "");
  const service: Service = {
    name,
    version: definition.version ?? manifest.version ?? "",
    description: definition.description ?? manifest.description ?? `The ${name} service`,
    license: definition.license ?? manifest.license ?? "UNLICENSED",
    author: readAuthor(definition.author) ?? manifest.author ?? { name: `${name} developers`, email: undefined },
    homepage: definition.homepage ?? manifest.homepage,
    packageName: definition.package?.name ?? archiveName(definition, manifest),
    root,
    entry,
    args: definition.args ?? [],
    sockets,
    start: definition.start ?? "on-demand",
    permissions: { network: permissions.network ?? "none" },
    directories: {
      state: directories.state ?? false,
      cache: directories.cache ?? false,
      logs: directories.logs ?? false,
      configuration: directories.configuration ?? false,
    },
    environment: definition.environment ?? {},
    stopTimeout: seconds(definition.stopTimeout ?? "20s"),
    targets: [...new Set<Target>(definition.targets ?? ["linux-x64"])],
    packages: [...new Set<PackageFormat>(definition.packages ?? ["deb"])],
    systemd: { minimumVersion: systemd.minimumVersion ?? 252 },
  };
  return {
    service,
    problems: [
      ...problems,
      ...nameProblems(definition, service),
      ...versionProblems(service),
      ...entryProblems(definition, entry),
      ...startProblems(service),
      ...stopProblems(service),
      ...groupProblems(service),
    ],
  };
}

// --- internal ---

/** Where package.json's scoped name is the only name given, the scope stays visible: a distribution may own the bare name. */
function archiveName(definition: Definition, manifest: Manifest): string {
  const scoped = definition.name === undefined && /^@([^/]+)\/(.+)$/.exec(manifest.name ?? "");
  return scoped ? `${scoped[1]}-${scoped[2]}` : (definition.name ?? manifest.name ?? "");
}

/** systemd.exec(5), DynamicUser=: a static user of that name is used instead of a new one. These are Debian's (base-passwd). */
const systemUsers = new Set(
  "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody messagebus sshd".split(
    " ",
  ),
);

/** Names whose /usr/lib/NAME, unit or /var/lib/NAME is something else on nearly every Linux. The package refuses more when it is installed. */
const takenNames = new Set(
  (
    "apparmor apt avahi bash cloud console-setup containerd cron cups dbus debug dhcpcd dpkg emergency fsck gcc getty git grub halt " +
    "init initrd journal kernel kexec kmod libvirt locale login lvm modules mysql networking network openssh plymouth polkit postgresql " +
    "poweroff private procps python python3 quota reboot rescue rsync rsyslog sasl2 shutdown ssh ssl sudo sysinit sysctl systemd terminfo " +
    "timesyncd udev ufw user"
  ).split(" "),
);

function nameProblems(definition: Definition, { name }: Service): Problem[] {
  const problem = (what: string, mend: string): Problem[] => [
    { code: "invalid-name", what, where: { key: "name" }, mend },
  ];
  if (name === "") return problem("the service has no name", "set name in the definition or in package.json");
  // One from the definition has passed the schema's rule; one from package.json has not.
  if (definition.name === undefined && !/^[a-z][a-z0-9_-]{0,30}$/.test(name)) {
    return problem(
      `package.json's name gives "${name}", which cannot name units and a user`,
      "set name in the definition: a lower-case letter, then lower-case letters, digits, - or _, at most 31 characters",
    );
  }
  if (systemUsers.has(name)) {
    return problem(
      `"${name}" is a system user; the service would run as that user instead of one of its own`,
      "choose another name",
    );
  }
  if (takenNames.has(name) || name.startsWith("systemd-")) {
    const what = `"${name}" is the name of a part of the system, whose files the service's would replace`;
    return problem(what, "choose another name");
  }
  return [];
}

function versionProblems({ version }: Service): Problem[] {
  const problem = (what: string, mend: string): Problem[] => [
    { code: "invalid-version", what, where: { key: "version" }, mend },
  ];
  if (version === "") return problem("the service has no version", "set version in the definition or in package.json");
  // It is part of file names, which end at 255 bytes.
  if (version.length > 100) return problem("the version has more than 100 characters", "choose a shorter one");
  return [];
}

function entryProblems(definition: Definition, entry: string): Problem[] {
  const where = { key: "entry" };
  if (definition.entry === undefined) {
    return [
      {
        code: "no-entry",
        what: "the definition names no entry",
        where,
        mend: 'set entry to the file that starts the server, for example "src/server.ts"',
      },
    ];
  }
  if (existsSync(entry) && statSync(entry).isFile()) return [];
  return [
    {
      code: "no-entry",
      what: `there is no file ${entry}`,
      where,
      mend: "entry is relative to the folder of the definition",
    },
  ];
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

/** systemd takes 0 for "no limit", and gives up on numbers that it cannot hold. */
function stopProblems({ stopTimeout }: Service): Problem[] {
  if (stopTimeout >= 1 && stopTimeout <= 86_400) return [];
  return [
    {
      code: "invalid-definition",
      what: `"stopTimeout" must be from 1s to 24h, and is ${stopTimeout} seconds`,
      where: { key: "stopTimeout" },
      mend: "give the requests that are under way the time that they need",
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

const secondsPer = { ms: 0.001, s: 1, m: 60, h: 3600 };

function seconds(duration: string): number {
  const [, amount, unit] = /^([\d.]+)(ms|s|m|h)$/.exec(duration)!;
  return Number(amount) * secondsPer[unit as keyof typeof secondsPer];
}
