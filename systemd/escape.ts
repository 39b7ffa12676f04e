/**
 * How a text is written so that systemd reads the same text back. Which rule a directive follows was found by having
 * systemd 252 and 257 start processes with nasty strings; systemd.syntax(7) and systemd.service(5) tell the rest.
 */

/** One argument of ExecStart=: quoted, with no specifier and no variable expanded. */
export function execArgument(text: string): string {
  return quoted(text).replaceAll("$", "$$$$");
}

/** One assignment of Environment=. A `$` means nothing there, and must not be doubled. */
export function environmentAssignment(name: string, value: string): string {
  return quoted(`${name}=${value}`);
}

/** The first word of ExecStart=. systemd refuses a quote or a backslash in it, quoted or not. */
export function execPath(path: string): string {
  if (/["'\\]/.test(path)) throw new RangeError(`systemd takes no quote and no backslash in a program's path: ${path}`);
  return /\s/.test(path) ? quoted(path) : path.replaceAll("%", "%%");
}

/** A path in BindPaths= and others whose items are `FROM:TO`. */
export function pathItem(path: string): string {
  return quoted(path).replaceAll(":", "\\:");
}

/** Directives that take the rest of the line: Description=, Documentation=, paths of ListenStream=. Line breaks become spaces. */
export function plainText(text: string): string {
  return text
    .replaceAll("%", "%%")
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .replace(/\\$/, "\\ "); // A backslash at the end would join the next line to this one.
}

// --- internal ---

function quoted(text: string): string {
  if (text.includes("\0")) throw new RangeError("a NUL character cannot be written in a unit");
  const escaped = text
    .replaceAll("%", "%%")
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replace(/\p{Cc}/gu, escapeControl);
  return `"${escaped}"`;
}

/** \xNN is one byte, so it can only stand for a character below 0x80; those above need no escape. */
function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : character;
}
