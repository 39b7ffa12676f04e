import { existsSync } from "node:fs";
import { isOnPath } from "../helpers/tools.ts";

/** Which Debian package brings each thing that the system tests need of the host. */
const packages: Readonly<Record<string, string>> = {
  "systemd-nspawn": "systemd-container",
  debootstrap: "debootstrap",
  // Without the keys debootstrap installs unsigned packages.
  "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
  nsenter: "util-linux",
  unshare: "util-linux",
  setpriv: "util-linux",
  flock: "util-linux",
  mount: "mount",
  "dpkg-deb": "dpkg",
};

/** Why system tests cannot run here and what to do about it; undefined when they can. */
export function whyNotHere(): string | undefined {
  if (process.platform !== "linux") return "system tests run on Linux only";
  const missing = Object.keys(packages).filter((name) => !isPresent(name));
  if (missing.length > 0) {
    const names = [...new Set(missing.map((name) => packages[name]))];
    return `${missing.join(", ")} missing: apt-get install ${names.join(" ")}`;
  }
  return process.getuid?.() === 0 ? undefined : "system tests boot machines and so need root";
}

// --- internal ---

const isPresent = (name: string): boolean => (name.startsWith("/") ? existsSync(name) : isOnPath(name));
