import type { Address } from "../../../service.ts";

/** What a URL is made of. */
export interface Shown {
  readonly name: string;
  readonly address: Address;
  /** Of the definition, where it was mapped: its port tells more than the one that was found. */
  readonly insteadOf: Address | undefined;
  readonly scheme: "http" | "https" | undefined;
}

/**
 * For a person to open or to copy: "http://localhost:8080/", "tcp://localhost:7000", "udp://127.0.0.1:8125", or a unix path.
 * Every address of the machine is localhost.
 */
export function socketUrl(shown: Shown): string {
  const { name, address, insteadOf } = shown;
  if (address.type === "unix") return address.path;
  if (address.type === "udp") return `udp://${hostOf(address.host, "127.0.0.1")}:${address.port}`;
  const scheme = shown.scheme ?? guessScheme(name, insteadOf ? [address, insteadOf] : [address]) ?? "tcp";
  const host = hostOf(address.host, "localhost");
  if (scheme === "tcp") return `tcp://${host}:${address.port}`;
  const isDefault = address.port === (scheme === "https" ? 443 : 80);
  return `${scheme}://${host}${isDefault ? "" : `:${address.port}`}/`;
}

/** What a name says, or else a usual port. */
export function guessScheme(name: string, addresses: readonly Address[]): "http" | "https" | undefined {
  const ports = addresses.map((address) => (address.type === "tcp" ? address.port : undefined));
  if (/https|tls|ssl/i.test(name)) return "https";
  if (/http|web|www/i.test(name)) return "http";
  if (ports.includes(443) || ports.includes(8443)) return "https";
  return ports.includes(80) || ports.includes(8080) ? "http" : undefined;
}

// --- internal ---

/** With a zone the percent sign is written as RFC 6874 has it. */
function hostOf(host: string | undefined, every: string): string {
  if (host === undefined || host === "::" || host === "0.0.0.0") return every;
  return host.includes(":") ? `[${host.replace("%", "%25")}]` : host;
}
