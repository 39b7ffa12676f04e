import { existsSync } from "node:fs";
import type { Check } from "../doctor.ts";
import { ask } from "./ask.ts";
import { findProgram, type Host, howToGet } from "./host.ts";

/** The service managers: systemd and who answers of it, launchd. */
export async function examineManagers(host: Host): Promise<Check[]> {
  return await Promise.all([systemd(host), systemManager(host), userManager(host), launchd(host)]);
}

// --- internal ---

const onlyLinux = "only Linux has it";

async function systemd(host: Host): Promise<Check> {
  const check = { name: "systemd", for: "installing and running what is built, on this machine" };
  if (host.platform !== "linux") return { ...check, found: false, get: onlyLinux };
  const path = findProgram("systemctl", host);
  const get = howToGet("systemctl", { apt: "systemd", dnf: "systemd" }, host);
  if (path === undefined) return { ...check, found: false, get };
  const { text, failure } = await ask(path, ["--version"], host);
  if (failure) return { ...check, found: false, path, detail: `systemctl ${failure}`, get };
  const version = /^systemd (\d+)/.exec(text)?.[1];
  if (version === undefined) return { ...check, found: true, path, detail: "its version is unknown" };
  const isOld = Number(version) < oldest;
  const detail = isOld ? `units are made for ${oldest} and later` : undefined;
  return { ...check, found: true, version, path, detail };
}

/** What a definition's systemd.minimumVersion is unless it says otherwise. */
const oldest = 252;

async function systemManager(host: Host): Promise<Check> {
  const check = { name: "system manager", for: "starting what is installed; as root rouse run --sandbox" };
  if (host.platform !== "linux") return { ...check, found: false, get: onlyLinux };
  return await manager(check, [], host, "a machine, or container, that systemd has booted");
}

async function userManager(host: Host): Promise<Check> {
  const check = { name: "user manager", for: "rouse run --sandbox without root" };
  if (host.platform !== "linux") return { ...check, found: false, get: onlyLinux };
  // su and sudo -u leave the variable unset, or set to somebody else's.
  const own = `/run/user/${host.uid}`;
  const XDG_RUNTIME_DIR = existsSync(`${own}/systemd/private`) ? own : host.env.XDG_RUNTIME_DIR;
  const get = `log in where systemd has booted (not by su), or loginctl enable-linger ${host.uid}`;
  return await manager(check, ["--user"], { ...host, env: { ...host.env, XDG_RUNTIME_DIR } }, get);
}

async function manager(check: Pick<Check, "name" | "for">, scope: string[], host: Host, get: string): Promise<Check> {
  const path = findProgram("systemctl", host);
  if (path === undefined) return { ...check, found: false, detail: "there is no systemctl to ask", get };
  const { text, failure } = await ask(path, [...scope, "--no-pager", "show", "--property=Version", "--value"], host);
  const version = /^(\d+)/.exec(text)?.[1];
  if (failure === undefined && version) return { ...check, found: true, version, detail: "answers" };
  const said = text.split("\n")[0]!.trim();
  const why = failure === undefined ? "what it answers is not known" : firstOf(said, `systemctl ${failure}`);
  return { ...check, found: false, detail: why, get };
}

/** What it says itself, where that is something for a line. */
function firstOf(said: string, otherwise: string): string {
  return said !== "" && said.length <= 120 ? said : otherwise;
}

async function launchd(host: Host): Promise<Check> {
  const check = { name: "launchd", for: "running as a launchd job; rouse run --as launchd needs none" };
  if (host.platform !== "darwin") return { ...check, found: false, get: "only macOS has it" };
  const path = findProgram("launchctl", host);
  if (path === undefined)
    return { ...check, found: false, detail: "there is no launchctl", get: "it is part of macOS" };
  const product = findProgram("sw_vers", host);
  const { text, failure } = product
    ? await ask(product, ["-productVersion"], host)
    : { text: "", failure: "is not there" };
  const version = /^\d+(\.\d+)*/.exec(text)?.[0];
  return { ...check, found: true, path, detail: failure || !version ? undefined : `macOS ${version}` };
}
