/** What stands in a file of variables. Lines are numbered from 1. */
export type EnvironmentLine =
  | { readonly is: "assignment"; readonly line: number; readonly name: string; readonly value: string }
  /** The quote that begins here is never closed: the value of the assignment that follows is the rest of the file. */
  | { readonly is: "unclosed-quote"; readonly line: number; readonly quote: string }
  | { readonly is: "no-assignment"; readonly line: number; readonly text: string }
  /** Ends in a backslash: systemd before 254 takes the next line for a part of it, later ones do not, nor does this. */
  | { readonly is: "continued-comment"; readonly line: number };

/**
 * Takes a file of variables apart as systemd does for EnvironmentFile= (systemd.exec(5), and what 252 and 257 were seen to make of
 * the files in test/run/environment-files.ts).
 * @param text the bytes of the file as Latin-1: nothing in the syntax is beyond ASCII
 */
export function* environmentLines(text: string): Generator<EnvironmentLine> {
  const source = new Source(text);
  for (;;) {
    source.upTo(/[^ \t\r\n]/g);
    if (source.isAtEnd) return;
    const line = source.line;
    if (/[#;]/.test(source.next())) {
      if (source.upTo(/[\r\n]/g).endsWith("\\")) yield { is: "continued-comment", line };
      continue;
    }
    const name = source.upTo(/[=\r\n]/g, 1).replace(/[ \t]+$/, "");
    if (source.isAtEnd || source.next() !== "=") {
      yield { is: "no-assignment", line, text: name };
      continue;
    }
    source.take();
    const { value, unclosed } = readValue(source);
    if (unclosed) yield { is: "unclosed-quote", ...unclosed };
    yield { is: "assignment", line, name, value };
  }
}

// --- internal ---

class Source {
  readonly #text: string;
  #at = 0;
  #counted = { at: 0, line: 1 };

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  get line(): number {
    const breaks = this.#text.slice(this.#counted.at, this.#at).split("\n").length - 1;
    this.#counted = { at: this.#at, line: this.#counted.line + breaks };
    return this.#counted.line;
  }

  /** Empty at the end. */
  next(): string {
    return this.#text.charAt(this.#at);
  }

  take(): string {
    return this.#text.charAt(this.#at++);
  }

  /** All before what the pattern matches, which is global, from so many characters on. */
  upTo(pattern: RegExp, from = 0): string {
    pattern.lastIndex = this.#at + from;
    const end = pattern.exec(this.#text)?.index ?? this.#text.length;
    const passed = this.#text.slice(this.#at, end);
    this.#at = end;
    return passed;
  }
}

interface Value {
  readonly value: string;
  readonly unclosed?: { readonly line: number; readonly quote: string };
}

/** Quoted parts, blanks between them or not, and then perhaps one without quotes, in which a quote is a character like others. */
function readValue(source: Source): Value {
  let value = "";
  for (;;) {
    source.upTo(/[^ \t]/g);
    const quote = source.next();
    if (quote !== "'" && quote !== '"') return { value: value + readBare(source) };
    const { line } = source;
    source.take();
    value += quote === "'" ? source.upTo(/'/g) : readDoubleQuoted(source);
    if (source.isAtEnd) return { value, unclosed: { line, quote } };
    source.take();
  }
}

/** As in a shell: a backslash means something only before some characters. */
function readDoubleQuoted(source: Source): string {
  let value = "";
  while (!source.isAtEnd && source.next() !== '"') {
    const character = source.take();
    if (character !== "\\") value += character;
    else if (!source.isAtEnd) value += unescaped(source.take());
  }
  return value;
}

function unescaped(character: string): string {
  if (character === "\n") return "";
  return '"\\`$'.includes(character) ? character : `\\${character}`;
}

/** A backslash makes any character an ordinary one, also a blank at the end, and takes a line break away. */
function readBare(source: Source): string {
  let value = "";
  let kept = 0;
  while (!/^[\r\n]?$/.test(source.next())) {
    const character = source.take();
    if (character === "\\") {
      const escaped = source.take(); // Nothing at the end of the file.
      if (!/[\r\n]/.test(escaped)) value += escaped;
      kept = value.length;
    } else {
      value += character;
      if (!/[ \t]/.test(character)) kept = value.length;
    }
  }
  return value.slice(0, kept);
}
