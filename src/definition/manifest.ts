import type { Author } from "../service.ts";
import type { JsonFile } from "./json-file.ts";

/** What a definition takes from package.json where it does not say it itself. Wrong types count as absent: npm judges them. */
export interface Manifest {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly license: string | undefined;
  readonly author: Author | undefined;
  readonly homepage: string | undefined;
}

export function readManifest(packageJson: JsonFile | undefined): Manifest {
  const fields = (packageJson?.value ?? {}) as Record<string, unknown>;
  const text = (key: string): string | undefined => asText(fields[key]);
  return {
    name: text("name"),
    version: text("version"),
    description: text("description"),
    license: text("license"),
    author: readAuthor(fields.author),
    homepage: text("homepage"),
  };
}

/** `"Name <mail> (url)"` or `{ name, email }`, as npm takes both. */
export function readAuthor(value: unknown): Author | undefined {
  if (typeof value === "string") {
    const [, name = "", email] = /^\s*([^<(]*?)\s*(?:<([^>]*)>)?\s*(?:\([^)]*\))?\s*$/.exec(value) ?? [];
    return name === "" ? undefined : { name, email };
  }
  const { name, email } = (value ?? {}) as Record<string, unknown>;
  const known = asText(name);
  return known === undefined ? undefined : { name: known, email: asText(email) };
}

// --- internal ---

function asText(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}
