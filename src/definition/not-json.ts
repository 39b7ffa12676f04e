/** A part of a value that JSON cannot say. */
export interface NotJson {
  /** Its path, for example "sockets.http"; empty: the value itself. */
  readonly key: string;
  /** For example "a function". */
  readonly is: string;
}

/** The first part that JSON cannot say, or would say as something else. A key whose value is undefined counts as absent. */
export function findNotJson(value: unknown): NotJson | undefined {
  return search(value, [], []);
}

// --- internal ---

function search(value: unknown, path: readonly string[], around: readonly unknown[]): NotJson | undefined {
  const is = typeof value === "object" && value !== null ? oddObject(value, around) : oddPrimitive(value);
  if (is !== undefined) return { key: path.join("."), is };
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, part] of Object.entries(value)) {
    if (part === undefined && !Array.isArray(value)) continue;
    const found = search(part, [...path, key], [...around, value]);
    if (found) return found;
  }
  return undefined;
}

function oddPrimitive(value: unknown): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : String(value);
  if (value === undefined) return "undefined";
  return ["function", "symbol", "bigint"].includes(typeof value) ? `a ${typeof value}` : undefined;
}

function oddObject(value: object, around: readonly unknown[]): string | undefined {
  if (around.includes(value)) return "an object that it is itself a part of";
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value) || prototype === null || prototype === Object.prototype) return undefined;
  const name = (value.constructor as { name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" ? `an object of class ${name}` : "an object of a class";
}
