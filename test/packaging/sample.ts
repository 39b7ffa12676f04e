import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { PackageFile, PackageRequest } from "../../packaging/packager.ts";
import type { Service } from "../../src/service.ts";

/** A small service of two sockets, as the definition would give it. */
export function sampleService(changes: Partial<Service> = {}): Service {
  return {
    name: "lunchd",
    version: "1.2.3",
    description: "Serves lunch over HTTP. It has soup on every day of the week, and a dessert when there is one.",
    license: "MIT",
    author: { name: "Ada Cook", email: "ada@kitchen.test" },
    homepage: "https://kitchen.test/lunchd",
    packageName: "acme-lunchd",
    root: "/nowhere",
    entry: "/nowhere/server.ts",
    exec: undefined,
    args: [],
    sockets: [
      socket("http", { type: "tcp", host: undefined, port: 8090 }),
      socket("admin", { type: "unix", path: "/run/lunchd.sock" }),
    ],
    connection: { stdin: undefined, stderr: "journal", ignoreExit: false },
    start: "on-demand",
    permissions: { network: "none" },
    directories: { state: true, cache: true, logs: false, configuration: true },
    environment: {},
    stopTimeout: 20,
    watchdog: undefined,
    idleExit: undefined,
    workers: 0,
    credentials: {},
    targets: ["linux-x64"],
    packages: ["deb"],
    systemd: { minimumVersion: 252 },
    readFrom: [],
    ...changes,
  };
}

export const serviceUnit = `[Unit]
Description=Serves lunch over HTTP
Documentation=https://kitchen.test/lunchd
Wants=lunchd-http.socket lunchd-admin.socket
After=lunchd-http.socket lunchd-admin.socket

[Service]
Type=notify
ExecStart=/usr/lib/lunchd/lunchd
EnvironmentFile=-/etc/default/lunchd
DynamicUser=yes
StateDirectory=lunchd
CacheDirectory=lunchd
ConfigurationDirectory=lunchd
Restart=on-failure

[Install]
WantedBy=multi-user.target
Also=lunchd-http.socket lunchd-admin.socket
`;

export function socketUnit(name: string, ...settings: readonly string[]): string {
  return `[Unit]
Description=Socket ${name} of lunchd

[Socket]
${settings.join("\n")}
FileDescriptorName=${name}
Service=lunchd.service

[Install]
WantedBy=sockets.target
`;
}

/** Everything that a real build of the sample would hand over; `executable` is a file on disk. */
export function sampleRequest(executable: string, changes: Partial<PackageRequest> = {}): PackageRequest {
  return {
    service: sampleService(),
    target: "linux-x64",
    time: 1_700_000_000,
    files: [
      { ...text("/usr/lib/lunchd/lunchd", ""), mode: 0o755, content: { kind: "file", source: executable } },
      { ...text("/usr/bin/lunchd", ""), content: { kind: "link", target: "../lib/lunchd/lunchd" } },
      text("/usr/lib/systemd/system/lunchd.service", serviceUnit),
      text("/usr/lib/systemd/system/lunchd-http.socket", socketUnit("http", "ListenStream=8090")),
      text("/usr/lib/systemd/system/lunchd-admin.socket", socketUnit("admin", "ListenStream=/run/lunchd.sock")),
      { ...text("/etc/default/lunchd", "# Settings of lunchd, for example:\n#LOG_LEVEL=debug\n"), conffile: true },
    ],
    units: [
      { name: "lunchd-http.socket", kind: "socket", installable: true, start: true },
      { name: "lunchd-admin.socket", kind: "socket", installable: true, start: true },
      { name: "lunchd.service", kind: "service", installable: true, start: false },
    ],
    libraries: [
      { soname: "libc.so.6", versions: ["GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_2.17"] },
      { soname: "libm.so.6", versions: ["GLIBC_2.27"] },
      { soname: "libstdc++.so.6", versions: ["GLIBCXX_3.4.21", "CXXABI_1.3.11"] },
      { soname: "libgcc_s.so.1", versions: ["GCC_3.0", "GCC_4.2.0"] },
      { soname: "libatomic.so.1", versions: ["LIBATOMIC_1.0"] },
      { soname: "ld-linux-x86-64.so.2", versions: ["GLIBC_2.3"] },
    ],
    licenses: [],
    ...changes,
  };
}

export function text(path: string, content: string): PackageFile {
  return { path, mode: 0o644, content: { kind: "text", text: content }, conffile: false };
}

/** A folder of the test's own that goes with it. */
export async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "rouse-deb-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

// --- internal ---

function socket(name: string, address: Service["sockets"][number]["listen"][number]): Service["sockets"][number] {
  return {
    name,
    listen: [address],
    adopt: undefined,
    backlog: undefined,
    noDelay: false,
    freeBind: undefined,
    mode: undefined,
    group: undefined,
    optional: false,
    accept: undefined,
    limits: { connections: 64, perSource: undefined },
  };
}
