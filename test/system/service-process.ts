import type { Machine } from "./machine.ts";

/** The main process of a service as the machine's kernel has it. */
export interface ServiceProcess {
  /** Inside the machine. */
  readonly pid: number;
  readonly uid: number;
  /** Also for a dynamic user, which exists only while the service runs. */
  readonly user: string;
  /** Bit sets as in capabilities(7). */
  readonly capabilities: Readonly<Record<"inheritable" | "permitted" | "effective" | "bounding" | "ambient", bigint>>;
  /** 0 disabled, 1 strict, 2 filter. */
  readonly seccompMode: number;
  readonly noNewPrivileges: boolean;
  /** Its place in the unified hierarchy, such as "/system.slice/hello.service". */
  readonly cgroup: string;
  /** Compare with machine.network. */
  readonly network: string;
  readonly commandLine: readonly string[];
}

/** @throws {Error} when the service has no process */
export async function inspectProcess(machine: Machine, unit: string): Promise<ServiceProcess> {
  const pid = Number(await machine.show(unit, "MainPID"));
  if (pid === 0) throw new Error(`${unit} has no process (${await machine.show(unit, "ActiveState")})`);
  const proc = async (command: string) => (await machine.run(`cd /proc/${pid} && ${command}`)).stdout;

  const status = await proc("cat status");
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)![1]!;
  const capability = (name: string) => BigInt(`0x${field(name)}`);
  const uid = Number(field("Uid"));
  return {
    pid,
    uid,
    user: await userName(machine, uid),
    capabilities: {
      inheritable: capability("CapInh"),
      permitted: capability("CapPrm"),
      effective: capability("CapEff"),
      bounding: capability("CapBnd"),
      ambient: capability("CapAmb"),
    },
    seccompMode: Number(field("Seccomp")),
    noNewPrivileges: field("NoNewPrivs") === "1",
    cgroup: /^0::(.*)$/m.exec(await proc("cat cgroup"))![1]!,
    network: (await proc("readlink ns/net")).trim(),
    commandLine: (await proc("cat cmdline")).split("\0").slice(0, -1),
  };
}

// --- internal ---

async function userName(machine: Machine, uid: number): Promise<string> {
  const known = await machine.try(["getent", "passwd", uid.toString()]);
  if (known.code === 0) return known.stdout.split(":")[0]!;
  // A minimal Debian has no NSS module for dynamic users; systemd itself knows their names.
  const systemd = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
  const call = ["busctl", "--json=short", "call", ...systemd, "LookupDynamicUserByUID", "u", uid.toString()];
  return (JSON.parse((await machine.run(call)).stdout) as { data: [string] }).data[0];
}
