import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { lines, readEnd } from "../../../activation/socket-table.ts";
import { overlap } from "../../../definition/collisions.ts";
import type { Address } from "../../../service.ts";

/** Who has an address. */
export interface Holder {
  /** Undefined where this user may not know it. */
  readonly pid: number | undefined;
  /** With its arguments, shortened. */
  readonly command: string | undefined;
  readonly uid: number | undefined;
  /** What it has in truth: a wildcard keeps others from a specific address, too. */
  readonly address: Address;
  /** How many more processes have the same socket. */
  readonly others: number;
}

/**
 * Who keeps this process from an address: by the kernel's tables (proc(5)) on Linux, by lsof(8) on macOS, which is unproven.
 * Undefined where nobody is found.
 */
export function findHolder(address: Address, platform: NodeJS.Platform): Holder | undefined {
  if (platform === "darwin") return askLsof(address);
  if (address.type === "unix") return findUnixHolder(address.path);
  const found = ["", "6"]
    .flatMap((version) => lines(`${address.type}${version}`))
    .map(([, local = "", , state, , , , uid, , inode = ""]) => ({ local, state, uid: Number(uid), inode }))
    .filter(({ local }) => local.includes(":"))
    .map((entry) => ({ ...entry, address: withoutMapping(readEnd(address.type, entry.local)) }))
    .filter((entry) => overlap(entry.address, address));
  // A connection of the port holds it too, where nobody listens.
  const entry = found.find(({ state }) => state === LISTEN) ?? found[0];
  return entry && holderOf(entry.inode, entry.address, entry.uid);
}

/** "node server.js", for a person; undefined where there is no such process. */
export function commandOf(pid: number): string | undefined {
  try {
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    // A process that is ending has none.
    const words = [basename(program), ...args].join(" ").trim();
    const command = words || readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    return command.length > 80 ? `${command.slice(0, 79)}…` : command;
  } catch {
    return undefined;
  }
}

// --- internal ---

/** TCP_LISTEN (net/tcp_states.h). */
const LISTEN = "0A";
/** __SO_ACCEPTCON (linux/net.h). */
const SO_ACCEPTCON = 1 << 16;

function holderOf(inode: string, address: Address, uid: number | undefined): Holder {
  const pids = pidsOf(inode);
  const [pid] = pids;
  const command = pid === undefined ? undefined : commandOf(pid);
  return { pid, command, uid, address, others: Math.max(0, pids.length - 1) };
}

/** The processes that have a socket, which this user may look into; the oldest first. */
function pidsOf(inode: string): number[] {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
    .filter((pid) => list(`/proc/${pid}/fd`).some((fd) => link(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`));
}

/** It is listed as it was bound: with the path that its process wrote. So are the connections that it has accepted. */
function findUnixHolder(path: string): Holder | undefined {
  // Num RefCount Protocol Flags Type St Inode Path
  const found = lines("unix").filter((fields) => fields.slice(7).join(" ") === path);
  const entry = found.find(([, , , flags = ""]) => Number.parseInt(flags, 16) & SO_ACCEPTCON) ?? found[0];
  return entry && holderOf(entry[6]!, { type: "unix", path }, undefined);
}

/** An IPv4 address as an IPv6 socket has it (RFC 4291, 2.5.5.2). */
function withoutMapping(address: Address): Address {
  const mapped = address.type !== "unix" && /^::ffff:([\da-f]+):([\da-f]+)$/.exec(address.host ?? "");
  if (!mapped) return address;
  const words = [mapped[1]!, mapped[2]!].map((word) => Number.parseInt(word, 16));
  return { ...address, host: words.flatMap((word) => [word >> 8, word & 255]).join(".") } as Address;
}

/** lsof's -F: a line a field, p the process, c its command, L its user. */
function askLsof(address: Address): Holder | undefined {
  const which =
    address.type === "unix"
      ? [address.path]
      : address.type === "tcp"
        ? [`-iTCP:${address.port}`, "-sTCP:LISTEN"]
        : [`-iUDP:${address.port}`];
  const { stdout } = spawnSync("lsof", ["-nP", "-Fpc", ...which], { encoding: "utf8", timeout: 5000 });
  const pids = [...(stdout ?? "").matchAll(/^p(\d+)\nc(.*)$/gm)];
  const [first] = pids;
  if (!first) return undefined;
  return { pid: Number(first[1]), command: first[2], uid: undefined, address, others: pids.length - 1 };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Gone, or another user's.
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
