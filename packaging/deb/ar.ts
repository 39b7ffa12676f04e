/** One file inside an ar archive. */
export interface ArMember {
  /** At most 15 ASCII characters: dpkg knows none of ar's ways to write longer names. */
  readonly name: string;
  readonly size: number;
  readonly content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/**
 * The bytes of an ar archive in the common format that deb(5) asks for: decimal numbers, root's files, mode 100644.
 * @throws {RangeError} when a member's name or size does not fit its field, or when its content is not `size` bytes long
 */
export async function* writeAr(members: readonly ArMember[], time: number): AsyncGenerator<Uint8Array> {
  yield Buffer.from("!<arch>\n");
  for (const member of members) {
    yield header(member, time);
    let written = 0;
    for await (const chunk of member.content) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== member.size) throw new RangeError(`${member.name}: ${written} bytes instead of ${member.size}`);
    if (written % 2 === 1) yield Buffer.from("\n");
  }
}

// --- internal ---

function header({ name, size }: ArMember, time: number): Uint8Array {
  const fields = [
    [name, 16],
    [String(time), 12],
    ["0", 6],
    ["0", 6],
    ["100644", 8],
    [String(size), 10],
  ] as const;
  for (const [value, width] of fields) {
    if (value.length > width) throw new RangeError(`"${value}" does not fit into ${width} characters of an ar header`);
  }
  if (!/^[!-.0-~]{1,15}$/.test(name)) throw new RangeError(`"${name}" is no name for an ar member`);
  return Buffer.from(`${fields.map(([value, width]) => value.padEnd(width)).join("")}\`\n`);
}
