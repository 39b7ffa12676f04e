/** Turns a listing, which people can read beside a disassembler's, into machine code. */

export interface Listing {
  readonly set: "x64" | "arm64";
  /**
   * A line is a label, "again:", or an instruction: its code in hexadecimal, as objdump prints it, then two spaces, what it
   * is, and after ";" why. "{label}" stands for the distance to a label: on x64 for the last four bytes, from their end; on
   * arm64 it is put into the word, from the word's own address.
   */
  readonly text: string;
}

/**
 * The code of a listing.
 * @param labels those outside of the listing: their distance in bytes from its first instruction
 */
export function assemble({ set, text }: Listing, labels: Readonly<Record<string, number>>): Buffer {
  const known = new Map(Object.entries(labels));
  const instructions: { readonly at: number; readonly code: string; readonly label: string | undefined }[] = [];
  let at = 0;
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line === "") continue;
    if (/^\w+:$/.test(line)) {
      known.set(line.slice(0, -1), at);
      continue;
    }
    const [, digits, label] = /^((?:[0-9a-f]{2} ?)+)(?:\{(\w+)\})? {2}/.exec(line)!;
    const code = digits!.replaceAll(" ", "");
    instructions.push({ at, code, label });
    at += code.length / 2 + (label !== undefined && set === "x64" ? 4 : 0);
  }
  const encode = set === "x64" ? encodeX64 : encodeArm64;
  return Buffer.concat(
    instructions.map(({ at, code, label }) => {
      if (label !== undefined && !known.has(label)) throw new Error(`no label ${label}`);
      return encode(code, label === undefined ? undefined : known.get(label)! - at);
    }),
  );
}

// --- internal ---

/** @param distance from the instruction's first byte */
function encodeX64(code: string, distance: number | undefined): Buffer {
  const bytes = Buffer.from(code, "hex");
  if (distance === undefined) return bytes;
  const displacement = Buffer.alloc(4);
  displacement.writeInt32LE(distance - bytes.length - 4);
  return Buffer.concat([bytes, displacement]);
}

/** The fields as the Arm Architecture Reference Manual (C6.2) has them. */
function encodeArm64(code: string, distance: number | undefined): Buffer {
  const word = Number.parseInt(code, 16);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE((word | (distance === undefined ? 0 : distanceField(word, distance))) >>> 0);
  return bytes;
}

function distanceField(word: number, distance: number): number {
  // adr: bytes, of which the two lowest bits lie apart. b: 26 bits of words. b.cond, cbz, cbnz and ldr of a literal: 19.
  if ((word & 0x9f000000) >>> 0 === 0x10000000) {
    return (field(distance & 3, 2) << 29) | (field(distance >> 2, 19) << 5);
  }
  if (word >>> 26 === 0b000101) return field(distance / 4, 26);
  return field(distance / 4, 19) << 5;
}

function field(value: number, bits: number): number {
  const limit = 2 ** (bits - 1);
  if (!Number.isInteger(value) || value >= 2 * limit || value < -limit) throw new Error(`${value} is out of reach`);
  return value & (2 ** bits - 1);
}
