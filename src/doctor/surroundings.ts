import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { Check } from "../doctor.ts";
import { type Host, readIfThere } from "./host.ts";

/** Space, and what the network of this machine lets this user do. */
export async function examineSurroundings(host: Host): Promise<Check[]> {
  const { output, cache, temporary } = host.folders;
  return [
    space(
      { name: "space for output", path: nearestFolder(output), for: "an executable is 120 MB and a package 40 MB" },
      300,
      "--out",
    ),
    space(
      { name: "space in cache", path: nearestFolder(cache), for: "a Node of 150 MB for each target" },
      200,
      "ROUSE_CACHE",
    ),
    space(
      { name: "temporary folder", path: temporary, for: "bundles, and the folder of a rouse run", needed: true },
      50,
      "TMPDIR",
    ),
    await ipv6(host),
    ...(host.platform === "linux" ? [lowPorts(host)] : []),
  ];
}

// --- internal ---

/** @param elsewhere by what another folder is named */
function space(check: Omit<Check, "found"> & { path: string }, megabytes: number, elsewhere: string): Check {
  const { path } = check;
  const another = `or name another folder: ${elsewhere}`;
  try {
    const { bavail, bsize } = statfsSync(path);
    const free = (bavail * bsize) / 1e6;
    const detail = free < 1000 ? `${free.toFixed(0)} MB free` : `${(free / 1000).toFixed(0)} GB free`;
    if (free < megabytes) return { ...check, found: false, detail, get: `free ${megabytes} MB, ${another}` };
    accessSync(path, constants.W_OK);
    return { ...check, found: true, detail };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why: Record<string, string> = { ENOENT: "is not there", EACCES: "may not be written", EROFS: "is read-only" };
    const detail = why[code ?? ""] ?? `cannot be used: ${code}`;
    return { ...check, found: false, detail, get: `make it writable, ${another}` };
  }
}

/** Of what is not there yet the one that it will be made in. */
function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}

async function ipv6({ platform }: Host): Promise<Check> {
  const check = { name: "IPv6", for: "sockets on [::1] and other IPv6 addresses" };
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  server.listen(0, "::1", () => server.close(() => resolve(undefined)));
  const failure = await promise;
  if (failure === undefined) return { ...check, found: true, detail: "[::1] is there" };
  const get =
    platform === "linux" ? "sysctl net.ipv6.conf.lo.disable_ipv6=0" : "switch it on for the loopback interface";
  return { ...check, found: false, detail: `binding [::1] fails: ${failure}`, get };
}

/** ip(7), ip_unprivileged_port_start; capabilities(7), CAP_NET_BIND_SERVICE. */
function lowPorts({ uid }: Host): Check {
  const check = {
    name: "ports below 1024",
    for: "rouse run on the definition's own; else it takes high ones and shows them",
  };
  const start = Number(readIfThere("/proc/sys/net/ipv4/ip_unprivileged_port_start") ?? "1024");
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readIfThere("/proc/self/status") ?? "")?.[1];
  const isCapable = effective ? (BigInt(`0x${effective}`) & (1n << 10n)) !== 0n : uid === 0;
  if (isCapable) return { ...check, found: true, detail: "this user may bind them" };
  if (start <= 80) return { ...check, found: true, detail: `everybody may bind them, from ${start} on` };
  const detail = `this user may bind ${start} and above`;
  return { ...check, found: false, detail, get: "as root: sysctl net.ipv4.ip_unprivileged_port_start=80" };
}
