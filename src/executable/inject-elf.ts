import { RouseError } from "../problem.ts";
import { readElf, type Segment, segmentSize, segmentType, writeSegment } from "./elf.ts";

/**
 * Puts a single-executable blob into a Linux Node, as pieces to write one after the other.
 *
 * Node looks for an ELF note named NODE_SEA_BLOB among the loaded notes (dl_iterate_phdr). Its 12 program headers have no
 * room to grow, so none is added: PT_PHDR, which only a position-independent program needs, gives its place to a new
 * PT_LOAD behind all others, and PT_NOTE moves into that one, the old notes (the build id) in front. No page is shared
 * with another segment, also where pages are 64 KiB. What lies behind the last segment, symbols and debug data, is cut off.
 *
 * @param base Node's executable; not changed
 * @param blob what `node --experimental-sea-config` wrote
 * @throws {RouseError} when the base is not shaped as described; nothing is guessed
 */
export function injectElf(base: Buffer, blob: Uint8Array): readonly Uint8Array[] {
  const { type, headersOffset, segments } = readElf(base);
  if (type !== 2) throw refuse("it is position-independent, and would not load without its PT_PHDR");
  const programHeaders = only(segments, segmentType.programHeaders, "PT_PHDR");
  const note = only(segments, segmentType.note, "PT_NOTE");
  const loads = segments.filter((segment) => segment.type === segmentType.load);
  const imageEnd = Math.max(...loads.map(({ offset, fileSize }) => offset + fileSize));
  const memoryEnd = Math.max(...loads.map(({ address, memorySize }) => address + memorySize));

  const offset = roundUp(imageEnd, largestPage);
  const oldNotes = padded(base.subarray(note.offset, note.offset + note.fileSize));
  const notes = [oldNotes, noteHeader(blob.length), blob, Buffer.alloc(-blob.length & 3)];
  const size = notes.reduce((sum, piece) => sum + piece.length, 0);
  const place = { offset, address: roundUp(memoryEnd, largestPage), fileSize: size, memorySize: size, flags: readable };
  const newLoad: Segment = { ...place, type: segmentType.load, align: largestPage };
  const newNote: Segment = { ...place, type: segmentType.note, align: 4 };

  const table = segments
    .filter((segment) => segment !== programHeaders)
    .flatMap((segment) => (segment === note ? [newNote] : segment === loads.at(-1) ? [segment, newLoad] : [segment]));
  const head = Buffer.from(base.subarray(0, headersOffset + table.length * segmentSize));
  for (const [index, segment] of table.entries()) writeSegment(head, headersOffset + index * segmentSize, segment);
  forgetSections(head);
  const fuse = findFuse(base, imageEnd);
  return [
    head,
    base.subarray(head.length, fuse),
    Buffer.from("1"),
    base.subarray(fuse + 1, imageEnd),
    Buffer.alloc(offset - imageEnd),
    ...notes,
  ];
}

// --- internal ---

/** Kernels for arm64 may use pages of 64 KiB; 4 KiB ones divide it. */
const largestPage = 0x10000;
const readable = 4;
const noteName = Buffer.from("NODE_SEA_BLOB\0");
/** Node's own mark (node_sea.cc): the byte behind the colon says whether a blob is there. In two pieces, or our own bundle would hold it. */
const fuseMark = ["NODE_SEA_FUSE", "fce680ab2cc467b6e072b8b5df1996b2"].join("_");

function only(segments: readonly Segment[], type: number, name: string): Segment {
  const found = segments.filter((segment) => segment.type === type);
  if (found.length !== 1) throw refuse(`it has ${found.length} ${name} segments instead of one`);
  return found[0]!;
}

/** elf(5), Elf64_Nhdr: sizes of name and content, type; name and content each padded to 4 bytes. */
function noteHeader(contentSize: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(noteName.length, 0);
  header.writeUInt32LE(contentSize, 4);
  return Buffer.concat([header, padded(noteName)]);
}

/** e_shoff, e_shnum and e_shstrndx: the section table lay behind the image and is gone. */
function forgetSections(head: Buffer): void {
  head.writeBigUInt64LE(0n, 40);
  head.writeUInt16LE(0, 60);
  head.writeUInt16LE(0, 62);
}

/** The offset of the byte to flip. */
function findFuse(base: Buffer, imageEnd: number): number {
  const first = base.indexOf(fuseMark);
  if (first === -1 || first >= imageEnd) throw refuse("it has no place for a program (no single-executable fuse)");
  if (base.subarray(0, imageEnd).indexOf(fuseMark, first + 1) !== -1)
    throw refuse("its single-executable fuse is there twice");
  const state = base.subarray(first + fuseMark.length, first + fuseMark.length + 2).toString("latin1");
  if (state === ":1") throw refuse("it already holds a program");
  if (state !== ":0") throw refuse("its single-executable fuse is damaged");
  return first + fuseMark.length + 1;
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

function refuse(why: string): RouseError {
  return new RouseError({
    code: "base-not-understood",
    what: `the runtime base cannot take a program: ${why}`,
    mend: "use the Node that this release of Rouse pins",
  });
}
