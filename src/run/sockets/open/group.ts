import { foreign } from "../../../activation/ffi.ts";

/** getgrnam(3): the id of a group, by its name or as digits. Undefined where there is no such group. */
export function groupId(name: string): number | undefined {
  const found = foreign("getgrnam", ["pointer"], "pointer")!(Buffer.from(`${name}\0`));
  if (!found) return /^\d+$/.test(name) ? Number(name) : undefined;
  // struct group of Linux and of macOS: two pointers, then gr_gid.
  return process.getBuiltinModule("node:ffi").getUint32(found, 16);
}
