/** Puts sections together to a 64-bit little-endian ELF file that a dynamic linker loads: elf(5), System V gABI. */
import { u16, u32, u64 } from "./numbers.ts";

export interface Section {
  readonly name: string;
  /** sh_type. */
  readonly type: number;
  /** What the process may do with it: sections of the same access stand together, and become one segment. */
  readonly access: "r" | "rx" | "rw";
  readonly align: number;
  readonly size: number;
  /** The section that it refers to: sh_link. */
  readonly link?: string;
  readonly info?: number;
  /** Bytes of each of its entries. */
  readonly entrySize?: number;
  /** Its bytes, as many as `size` says. */
  write(place: (section: string) => Place): Buffer;
}

export interface Place {
  /** In memory, from where the file is loaded. */
  readonly address: number;
  /** In the section header table. */
  readonly index: number;
}

/** @param machine e_machine */
export function writeElfFile(machine: number, sections: readonly Section[]): Buffer {
  const placed = layOut(sections);
  const place = (name: string): Placed => placed.find(({ section }) => section.name === name)!;
  const names = placeNames(sections, placed.at(-1)!);
  const headersAt = roundUp(names.offset + names.bytes.length, 8);
  const head = Buffer.concat([
    Buffer.from("7f454c46020101".padEnd(32, "0"), "hex"), // 64 bits, little-endian, version 1, System V
    ...[u16(ET_DYN, machine), u32(1), u64(0, HEADER, headersAt), u32(0), u16(HEADER, SEGMENT, SEGMENTS)],
    ...[u16(SECTION, sections.length + 2, sections.length + 1), ...segmentHeaders(placed, place(".dynamic"))],
  ]);
  const file = Buffer.alloc(headersAt);
  head.copy(file);
  for (const { section, offset } of placed) section.write(place).copy(file, offset);
  names.bytes.copy(file, names.offset);
  return Buffer.concat([file, ...sectionHeaders(placed, place, names)]);
}

// --- internal ---

interface Placed extends Place {
  readonly section: Section;
  /** In the file. */
  readonly offset: number;
}

const HEADER = 64;
const SEGMENT = 56;
const SECTION = 64;
const ET_DYN = 3;
/** Three to load, PT_DYNAMIC, PT_GNU_STACK. */
const SEGMENTS = 5;
/** Kernels for arm64 may have pages of 64 KiB, and what is protected otherwise has to lie in another page. */
const PAGE = 0x10000;
const permissions = { r: 4, rx: 5, rw: 6 } as const;
type Access = keyof typeof permissions;

/** In the file one stands right behind the other, in memory each access begins in a page of its own. */
function layOut(sections: readonly Section[]): Placed[] {
  let offset = HEADER + SEGMENTS * SEGMENT;
  let base = 0;
  return sections.map((section, index) => {
    if (index > 0 && sections[index - 1]!.access !== section.access) base += PAGE * Math.ceil(offset / PAGE);
    offset = roundUp(offset, section.align);
    const placed = { section, index: index + 1, offset, address: base + offset };
    offset += section.size;
    return placed;
  });
}

function segmentHeaders(placed: readonly Placed[], dynamic: Placed): Buffer[] {
  const loaded = (["r", "rx", "rw"] as const).map((access) => {
    const inside = placed.filter(({ section }) => section.access === access);
    // The first one takes the headers along: PT_PHDR is for programs, but whoever looks at a loaded library finds them.
    const { address, offset } = access === "r" ? { address: 0, offset: 0 } : inside[0]!;
    const last = inside.at(-1)!;
    return segmentHeader(PT_LOAD, access, offset, address, last.offset + last.section.size - offset, PAGE);
  });
  return [
    ...loaded,
    segmentHeader(PT_DYNAMIC, "rw", dynamic.offset, dynamic.address, dynamic.section.size, 8),
    // Without it the stack of the whole process would become executable.
    segmentHeader(PT_GNU_STACK, "rw", 0, 0, 0, 16),
  ];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_GNU_STACK = 0x6474e551;

function segmentHeader(
  type: number,
  access: Access,
  offset: number,
  address: number,
  size: number,
  align: number,
): Buffer {
  return Buffer.concat([u32(type, permissions[access]), u64(offset, address, address, size, size, align)]);
}

interface Names {
  readonly bytes: Buffer;
  readonly offset: number;
}

/** .shstrtab, the last section. */
function placeNames(sections: readonly Section[], { offset, section }: Placed): Names {
  const names = ["", ...sections.map(({ name }) => name), SECTION_NAMES];
  return { bytes: Buffer.from(`${names.join("\0")}\0`), offset: offset + section.size };
}

const SECTION_NAMES = ".shstrtab";

/** Nothing loads by them; they are for disassemblers and debuggers. */
function sectionHeaders(placed: readonly Placed[], place: (name: string) => Place, names: Names): Buffer[] {
  const nameAt = (name: string): number => names.bytes.indexOf(`\0${name}\0`) + 1;
  const headers = placed.map(({ section, offset, address }) => {
    const { name, type, access, size, align, link, info = 0, entrySize = 0 } = section;
    const flags = 2 | (access === "rw" ? 1 : 0) | (access === "rx" ? 4 : 0); // SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR
    return Buffer.concat([
      ...[u32(nameAt(name), type), u64(flags, address, offset, size)],
      ...[u32(link === undefined ? 0 : place(link).index, info), u64(align, entrySize)],
    ]);
  });
  const SHT_STRTAB = 3;
  const own = [
    u32(nameAt(SECTION_NAMES), SHT_STRTAB),
    u64(0, 0, names.offset, names.bytes.length),
    u32(0, 0),
    u64(1, 0),
  ];
  return [Buffer.alloc(SECTION), ...headers, ...own];
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
