import type { Problem } from "../problem.ts";
import type { Definition, SocketDefinition } from "./definition.ts";

/**
 * What the definition may say one day, but this release cannot do: refused, because a service that silently lacks a
 * limit or a credential is worse than one that is not built. A value that asks for today's behaviour anyway passes.
 */
export function findNotYet(definition: Definition): Problem[] {
  const { permissions = {}, systemd = {} } = definition;
  const found = [
    ...unless(definition, "exec", isAbsent, "use entry"),
    ...unless(definition, "connection", isAbsent),
    ...unless(definition, "manager", is("system")),
    ...unless(definition, "template", is(false)),
    ...unless(definition, "user", is("dynamic"), 'use "dynamic"'),
    ...unless(definition, "files", isEmpty),
    ...unless(definition, "launchd", isAbsent),
    ...(["read", "write", "devices", "capabilities"] as const).flatMap((key) =>
      unless(permissions, key, isEmpty, undefined, "permissions."),
    ),
    ...unless(permissions, "subprocesses", is(false), undefined, "permissions."),
    ...unless(systemd, "overrides", isEmpty, "put a drop-in beside the installed unit", "systemd."),
    ...(definition.targets ?? []).flatMap((target, index) =>
      target === "linux-x64" ? [] : [notYet(`targets.${index}`, `the target "${target}"`, 'use "linux-x64"')],
    ),
    ...(definition.packages ?? []).flatMap((format, index) =>
      format === "deb" ? [] : [notYet(`packages.${index}`, `the package format "${format}"`, 'use "deb"')],
    ),
  ];
  for (const [name, socket] of Object.entries(definition.sockets ?? {})) {
    if (typeof socket === "object") found.push(...findInSocket(`sockets.${name}.`, socket));
  }
  return found;
}

// --- internal ---

function findInSocket(path: string, socket: SocketDefinition): Problem[] {
  return [
    ...unless(socket, "accept", isAbsent, undefined, path),
    ...unless(socket, "limits", isAbsent, undefined, path),
    ...unless(socket, "systemd", isEmpty, undefined, path),
    ...unless(socket, "launchd", isEmpty, undefined, path),
  ];
}

function unless<T extends object>(
  holder: T,
  key: keyof T & string,
  today: (value: unknown) => boolean,
  mend?: string,
  path = "",
): Problem[] {
  const value = holder[key];
  if (value === undefined || today(value)) return [];
  const shown = typeof value === "object" ? "" : `: ${JSON.stringify(value)}`;
  return [notYet(`${path}${key}`, `"${key}"${shown}`, mend)];
}

function notYet(key: string, subject: string, mend = "leave it out"): Problem {
  return { code: "not-yet", what: `this release of Rouse does not do ${subject} yet`, where: { key }, mend };
}

const isAbsent = (): boolean => false;
const is =
  (today: unknown) =>
  (value: unknown): boolean =>
    value === today;
const isEmpty = (value: unknown): boolean => Object.keys(value as object).length === 0;
