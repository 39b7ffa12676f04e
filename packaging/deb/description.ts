import type { Address, Service } from "../../src/service.ts";

/**
 * The value of the Description field (Debian Policy 5.6.13): a synopsis of less than 80 characters without an article or a final full
 * stop, then the rest of the definition's description and a paragraph about the service's sockets, so that the long part is never empty.
 */
export function descriptionField(service: Service): string {
  const paragraphs = service.description
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "");
  const [first = "", ...others] = paragraphs;
  const [, sentence = first, rest = ""] = /^(.*?)[.!](?:\s+(.*))?$/.exec(first) ?? [];
  const synopsis = sentence.replace(/^(?:an?|the)\s+(?=\S)/i, "") || `${service.name} service`;
  const whole = synopsis.length < 80;
  const long = [...(whole ? [rest] : [first]), ...others, aboutSockets(service)].filter(
    (paragraph) => paragraph !== "",
  );
  return [whole ? synopsis : cut(synopsis), long.map(indent).join("\n .\n")].join("\n");
}

// --- internal ---

function aboutSockets({ name, sockets, start }: Service): string {
  const listed = sockets.map((socket) => `${socket.name} (${socket.listen.map(spoken).join(", ")})`).join(", ");
  if (listed === "") return `This package installs and manages ${name} as a systemd service.`;
  const when = start === "boot" ? "starts it at boot with them" : "starts it when a client first connects";
  return `systemd opens the sockets of ${name} and ${when}: ${listed}.`;
}

function spoken(address: Address): string {
  if (address.type === "unix") return address.path;
  const port = `${address.type.toUpperCase()} port ${address.port}`;
  return address.host === undefined ? port : `${port} on ${address.host}`;
}

/** A line that begins with a space is shown as it is; a line of one dot separates paragraphs. */
function indent(paragraph: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line !== "" && line.length + word.length > 76) {
      lines.push(line);
      line = "";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}

function cut(text: string): string {
  return `${text.slice(0, 74).replace(/\s+\S*$/, "")} ...`;
}
