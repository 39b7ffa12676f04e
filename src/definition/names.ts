import type { Problem } from "../problem.ts";
import type { Service } from "../service.ts";
import type { Definition } from "./definition.ts";
import type { Manifest } from "./manifest.ts";

/** Where package.json's scoped name is the only name given, the scope stays visible: a distribution may own the bare name. */
export function archiveName(definition: Definition, manifest: Manifest): string {
  const scoped = definition.name === undefined && /^@([^/]+)\/(.+)$/.exec(manifest.name ?? "");
  return scoped ? `${scoped[1]}-${scoped[2]}` : (definition.name ?? manifest.name ?? "");
}

/** What is wrong with the service's name, wherever it came from. */
export function nameProblems(definition: Definition, { name }: Service): Problem[] {
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

// --- internal ---

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
