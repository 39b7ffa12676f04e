import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { withLock } from "./lock.ts";
import { step } from "./step.ts";

/** A Debian release by its code name. */
export type Suite = "bookworm" | "trixie";

/** ROUSE_TEST_SUITE=trixie runs the system tests on Debian 13. */
export const defaultSuite: Suite = process.env.ROUSE_TEST_SUITE === "trixie" ? "trixie" : "bookworm";

/** Beyond the minimal Debian: the init system, what every service built by Rouse depends on, and what the tests look with. */
const packages = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "libatomic1",
  "libstdc++6",
  "ca-certificates",
  "curl",
  "iproute2",
  "procps",
];

/**
 * The folder of a minimal Debian that every machine of this suite is layered over. Nobody writes to it.
 * The first call downloads it, which takes minutes; it is kept for later runs.
 * @throws {CommandError} with debootstrap's output
 */
export async function debianRoot(suite: Suite): Promise<string> {
  const cache = cacheFolder();
  const root = join(cache, `${suite}-${recipe(suite)}`);
  if (existsSync(root)) return root;
  await mkdir(cache, { recursive: true });
  return await withLock(join(cache, `${suite}.lock`), async () => {
    // Another test file made it while this one waited for the lock.
    if (!existsSync(root)) await makeRoot(suite, root);
    return root;
  });
}

// --- internal ---

async function makeRoot(suite: Suite, root: string): Promise<void> {
  const partial = `${root}.partial`;
  await rm(partial, { recursive: true, force: true });
  step(`debootstrap makes a Debian ${suite} in ${root} (once; some minutes)`);
  const heartbeat = setInterval(() => step("debootstrap still at work"), 15_000);
  try {
    // In namespaces of its own, so that a killed run leaves neither its mounts of /proc and /sys nor a process.
    const alone = [
      "setpriv",
      "--pdeathsig",
      "KILL",
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
    ];
    await runCommand([...alone, "debootstrap", ...debootstrapOptions, suite, partial], { timeout: 20 * 60_000 });
  } finally {
    clearInterval(heartbeat);
  }
  for (const archive of await readdir(join(partial, "var/cache/apt/archives"), { withFileTypes: true })) {
    if (archive.isFile()) await rm(join(archive.parentPath, archive.name));
  }
  await rename(partial, root);
  step(`Debian ${suite} is ready`);
}

const debootstrapOptions: readonly string[] = ["--variant=minbase", `--include=${packages.join(",")}`];

/** Changes with everything that changes what debootstrap makes. */
function recipe(suite: Suite): string {
  return createHash("sha256")
    .update([suite, ...debootstrapOptions].join(" "))
    .digest("hex")
    .slice(0, 12);
}

function cacheFolder(): string {
  const { ROUSE_TEST_CACHE, XDG_CACHE_HOME } = process.env;
  return ROUSE_TEST_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rouse-test");
}
