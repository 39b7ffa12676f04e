import { madeByRouse } from "../src/made-by-rouse.ts";

/**
 * A unit as systemd.syntax(7) has it: an ordered list, because keys repeat and their order matters. No INI writer keeps that.
 */
export interface Unit {
  /** For example "hello.socket". */
  readonly name: string;
  readonly kind: "service" | "socket";
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly section: "Unit" | "Service" | "Socket" | "Install";
  readonly name: string;
  /** As it stands in the file: escape.ts made it so. */
  readonly value: string;
  /** The systemd that brought the directive, where it is later than the oldest that Rouse knows (252). */
  readonly since?: number;
}

/** What one section holds, as [name, value] or [name, value, since]; an undefined value leaves the directive out. */
export type Directive = readonly [name: string, value: string | undefined, since?: number];

export function section(name: Entry["section"], directives: readonly Directive[]): Entry[] {
  return directives.flatMap(([directive, value, since]) =>
    value === undefined ? [] : [{ section: name, name: directive, value, ...(since !== undefined && { since }) }],
  );
}

/** Drops what an older systemd would only warn of, or worse: a service must not depend on a directive that is not applied. */
export function forVersion(unit: Unit, version: number): Unit {
  return { ...unit, entries: unit.entries.filter(({ since = 0 }) => since <= version) };
}

/** The unit's file. */
export function unitText(unit: Unit): string {
  const lines = [`${madeByRouse} To change it, use a drop-in: systemctl edit ${unit.name}`];
  let current: string | undefined;
  for (const { section, name, value } of unit.entries) {
    if (section !== current) lines.push("", `[${section}]`);
    current = section;
    lines.push(`${name}=${value}`);
  }
  return `${lines.join("\n")}\n`;
}
