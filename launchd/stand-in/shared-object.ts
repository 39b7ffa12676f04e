import { type Section, writeElfFile } from "./elf-file.ts";
import { u16, u32, u64 } from "./numbers.ts";

/** A shared library for Linux that offers one function and may call one of the C library. */
export interface SharedObject {
  /** e_machine. */
  readonly machine: number;
  /** The relocation that puts a symbol's address into a word: R_X86_64_GLOB_DAT or its like. */
  readonly globalData: number;
  /** DT_SONAME. */
  readonly name: string;
  readonly exported: string;
  /** Where the process has none, its word is 0. */
  readonly imported: string;
  /** Position-independent, of the same length whatever the distances are: those, in bytes, of the data and the imported function's word from the code. */
  code(distances: { readonly data: number; readonly imported: number }): Buffer;
  /** Writable. */
  readonly data: Buffer;
}

/**
 * It names no library that it needs: the C library, whichever it is (glibc, musl), is there already, or the program has none.
 * DT_HASH is what every dynamic linker reads.
 */
export function writeSharedObject(object: SharedObject): Buffer {
  const { machine, globalData, name, exported, imported, data } = object;
  const strings = Buffer.from(`\0${exported}\0${imported}\0${name}\0`);
  const string = (text: string): number => strings.indexOf(`\0${text}\0`) + 1;
  const codeSize = object.code({ data: 0, imported: 0 }).length;
  const sections: Section[] = [
    {
      ...{ name: ".hash", type: SHT_HASH, access: "r", align: 8, size: 24, entrySize: 4, link: ".dynsym" },
      // 1 bucket, 3 symbols; the bucket begins with symbol 1, after it comes 2, and then none.
      write: () => u32(1, 3, 1, 0, 2, 0),
    },
    {
      ...{ name: ".dynsym", type: SHT_DYNSYM, access: "r", align: 8, size: 3 * SYMBOL, entrySize: SYMBOL },
      ...{ link: ".dynstr", info: 1 },
      write: (place) =>
        Buffer.concat([
          Buffer.alloc(SYMBOL),
          ...[u32(string(exported)), Buffer.of(GLOBAL_FUNCTION, 0), u16(place(".text").index)],
          ...[
            u64(place(".text").address, codeSize),
            u32(string(imported)),
            Buffer.of(WEAK_FUNCTION, 0),
            u16(0),
            u64(0, 0),
          ],
        ]),
    },
    {
      ...{ name: ".dynstr", type: SHT_STRTAB, access: "r", align: 1, size: strings.length },
      write: () => strings,
    },
    {
      ...{ name: ".rela.dyn", type: SHT_RELA, access: "r", align: 8, size: RELOCATION, entrySize: RELOCATION },
      link: ".dynsym",
      // Symbol 2 is the imported function.
      write: (place) => Buffer.concat([u64(place(".got").address), u32(globalData, 2), u64(0)]),
    },
    {
      ...{ name: ".text", type: SHT_PROGBITS, access: "rx", align: 16, size: codeSize },
      write: (place) => {
        const from = (section: string): number => place(section).address - place(".text").address;
        return object.code({ data: from(".data"), imported: from(".got") });
      },
    },
    {
      ...{ name: ".dynamic", type: SHT_DYNAMIC, access: "rw", align: 8, size: 160, entrySize: 16, link: ".dynstr" },
      write: (place) =>
        Buffer.concat([
          u64(14, string(name)), // DT_SONAME
          u64(4, place(".hash").address), // DT_HASH
          u64(5, place(".dynstr").address), // DT_STRTAB
          u64(10, strings.length), // DT_STRSZ
          u64(6, place(".dynsym").address), // DT_SYMTAB
          u64(11, SYMBOL), // DT_SYMENT
          u64(7, place(".rela.dyn").address), // DT_RELA
          u64(8, RELOCATION), // DT_RELASZ
          u64(9, RELOCATION), // DT_RELAENT
          u64(0, 0), // DT_NULL
        ]),
    },
    {
      ...{ name: ".got", type: SHT_PROGBITS, access: "rw", align: 8, size: 8, entrySize: 8 },
      write: () => u64(0),
    },
    {
      ...{ name: ".data", type: SHT_PROGBITS, access: "rw", align: 8, size: data.length },
      write: () => data,
    },
  ];
  return writeElfFile(machine, sections);
}

// --- internal ---

const SHT_PROGBITS = 1;
const SHT_STRTAB = 3;
const SHT_RELA = 4;
const SHT_HASH = 5;
const SHT_DYNAMIC = 6;
const SHT_DYNSYM = 11;
const SYMBOL = 24;
const RELOCATION = 24;
/** STB_GLOBAL or STB_WEAK, and STT_FUNC. */
const GLOBAL_FUNCTION = 0x12;
const WEAK_FUNCTION = 0x22;
