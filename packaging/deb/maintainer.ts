import type { Author, Service } from "../../src/service.ts";

/**
 * The Maintainer field: a name and an address, as Debian Policy 5.6.2 asks.
 * Without an e-mail in the definition the address stands under .invalid, which RFC 2606 keeps free of real hosts: dpkg and lintian
 * want an address, and nobody's mail may go astray.
 */
export function maintainerOf({ author, name }: Service): string {
  return `${phrase(author.name) || `${name} maintainers`} <${address(author)}>`;
}

// --- internal ---

function address({ email }: Author): string {
  return email !== undefined && /^[^\s<>@,]+@[^\s<>@,]+$/.test(email) ? email : "no-address@maintainer.invalid";
}

/** RFC 5322: some characters stand for themselves only between quotes. A comma would otherwise begin a second maintainer. */
function phrase(name: string): string {
  const line = name.replace(/\s+/g, " ").trim();
  return /[()<>[\]:;@\\,"]/.test(line) ? `"${line.replace(/["\\]/g, "\\$&")}"` : line;
}
