import { RouseError } from "../problem.ts";

/** A 64-bit little-endian ELF file's program headers, read as elf(5) describes them. */
export interface Elf {
  readonly machine: number;
  /** e_type: 2 is an executable at fixed addresses, 3 is position-independent. */
  readonly type: number;
  readonly headersOffset: number;
  readonly segments: readonly Segment[];
}

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export const segmentType = { load: 1, dynamic: 2, note: 4, programHeaders: 6 } as const;
export const machines = { x64: 0x3e, arm64: 0xb7 } as const;
/** Bytes of one program header. */
export const segmentSize = 56;

/** @throws {RouseError} "not-elf" for anything but a whole 64-bit little-endian ELF file */
export function readElf(bytes: Buffer): Elf {
  const magic = bytes.subarray(0, 6).toString("hex");
  if (bytes.length < 64 || magic !== "7f454c460201")
    throw notElf("it does not start as a 64-bit little-endian ELF file");
  const headersOffset = Number(bytes.readBigUInt64LE(32));
  const count = bytes.readUInt16LE(56);
  if (bytes.readUInt16LE(54) !== segmentSize || headersOffset + count * segmentSize > bytes.length) {
    throw notElf("its program headers are not where they should be");
  }
  const segments = Array.from({ length: count }, (_, index) => readSegment(bytes, headersOffset + index * segmentSize));
  const cut = segments.find(({ offset, fileSize }) => offset + fileSize > bytes.length);
  if (cut) throw notElf(`it ends before its segment at offset ${cut.offset} does`);
  return { machine: bytes.readUInt16LE(18), type: bytes.readUInt16LE(16), headersOffset, segments };
}

export function writeSegment(bytes: Buffer, at: number, segment: Segment): void {
  bytes.writeUInt32LE(segment.type, at);
  bytes.writeUInt32LE(segment.flags, at + 4);
  const { offset, address, fileSize, memorySize, align } = segment;
  for (const [index, value] of [offset, address, address, fileSize, memorySize, align].entries()) {
    bytes.writeBigUInt64LE(BigInt(value), at + 8 + index * 8);
  }
}

// --- internal ---

function readSegment(bytes: Buffer, at: number): Segment {
  const word = (index: number): number => Number(bytes.readBigUInt64LE(at + 8 + index * 8));
  return {
    type: bytes.readUInt32LE(at),
    flags: bytes.readUInt32LE(at + 4),
    offset: word(0),
    address: word(1),
    fileSize: word(3),
    memorySize: word(4),
    align: word(5),
  };
}

function notElf(why: string): RouseError {
  return new RouseError({
    code: "not-elf",
    what: `the runtime base is no Linux executable that Rouse understands: ${why}`,
    mend: "remove it from the cache, so that it is fetched anew",
  });
}
