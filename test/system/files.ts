import type { Machine } from "./machine.ts";

/** What changes on a running Debian without any package's doing, or is dpkg's own book-keeping. Everything else counts. */
const ignored: readonly { readonly path: string; readonly reason: string }[] = [
  { path: "/var/log/dpkg.log", reason: "dpkg's log" },
  { path: "/var/lib/dpkg/status-old", reason: "dpkg's previous list of packages" },
  { path: "/var/lib/dpkg/triggers/*", reason: "dpkg's pending triggers; empty files appear with the first one" },
  { path: "/var/lib/systemd/random-seed", reason: "written at shutdown" },
  { path: "/var/lib/systemd/timers/*", reason: "when each timer ran last" },
];

/**
 * All files, folders and links on the machine's disk, sorted, such as "f 0644 root:root /etc/hello" or "l 0777 root:root /usr/bin/a -> b".
 * File systems mounted over it (/proc, /sys, /dev, /run, /tmp) show as the folder alone.
 */
export async function listFiles(machine: Machine): Promise<string[]> {
  const prune = ignored.flatMap(({ path }) => ["-not", "-path", path]);
  const line = ["-printf", "%p\\t%y %#m %u:%g %p"];
  const target = ["(", "-type", "l", "-printf", " -> %l", "-o", "-true", ")"];
  const { stdout } = await machine.run(["find", "/", "-xdev", ...prune, ...line, ...target, "-printf", "\\0"], {
    title: `${machine.name}# find / -xdev`,
  });
  const rows = stdout.split("\0").filter((row) => row !== "");
  return rows.sort().map((row) => row.slice(row.indexOf("\t") + 1));
}
