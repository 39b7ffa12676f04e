import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Elf, readElf, type Segment, segmentType } from "../../src/executable/elf.ts";
import { injectElf } from "../../src/executable/inject-elf.ts";
import { readLibraryNeeds } from "../../src/executable/libraries.ts";
import { RouseError } from "../../src/problem.ts";

// The pinned Node is what runs this test.
const base = readFileSync(process.execPath);
const blob = Buffer.from("not a real blob, but its bytes must come back");
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:";

const injected = Buffer.concat(injectElf(base, blob));

test("the segments: as many as before, none shares a page of 64 KiB with the new one, loads ascend", () => {
  const [before, after] = [readElf(base), readElf(injected)];
  assert.equal(after.segments.length, before.segments.length);
  assert.equal(after.headersOffset, before.headersOffset);
  const loads = of(after, segmentType.load);
  const added = loads.at(-1)!;
  assert.equal(loads.length, of(before, segmentType.load).length + 1);
  assert.deepEqual(loads.slice(0, -1), of(before, segmentType.load), "the old ones are where they were");
  for (const [index, load] of loads.slice(1).entries()) assert.ok(load.address > loads[index]!.address);
  for (const load of loads.slice(0, -1)) {
    assert.ok(added.address >= pageEnd(load.address + load.memorySize), "memory");
    assert.ok(added.offset >= pageEnd(load.offset + load.fileSize), "file");
  }
  assert.equal(
    added.address % added.align,
    added.offset % added.align,
    "elf(5): p_vaddr and p_offset agree modulo p_align",
  );
  assert.equal(added.flags, 4, "readable, neither writable nor executable");
});

test("the blob comes back from the note, behind the old notes with the build id", () => {
  const [note] = of(readElf(injected), segmentType.note);
  const notes = readNotes(injected.subarray(note!.offset, note!.offset + note!.fileSize));
  assert.deepEqual(notes.find(({ name }) => name === "NODE_SEA_BLOB")?.content, blob);
  const [oldNote] = of(readElf(base), segmentType.note);
  const oldNotes = readNotes(base.subarray(oldNote!.offset, oldNote!.offset + oldNote!.fileSize));
  assert.deepEqual(notes.slice(0, oldNotes.length), oldNotes);
  assert.ok(
    oldNotes.some(({ name, type }) => name === "GNU" && type === 3),
    "a build id was there to keep",
  );
});

test("nothing changes inside the image but the header and the fuse; symbols are cut off", () => {
  const imageEnd = Math.max(...of(readElf(base), segmentType.load).map(({ offset, fileSize }) => offset + fileSize));
  const changed: number[] = [];
  for (let at = 4096; at < imageEnd; at++) if (base[at] !== injected[at]) changed.push(at);
  assert.deepEqual(changed, [base.indexOf(fuse) + fuse.length]);
  assert.equal(injected.toString("latin1", changed[0]!, changed[0]! + 1), "1");
  assert.ok(injected.length < 117e6, `${injected.length} bytes`);
});

test("the libraries of Node are read with their versions", () => {
  const needs = readLibraryNeeds(injected);
  assert.deepEqual(
    needs.map(({ soname }) => soname).filter((soname) => !soname.startsWith("ld-")),
    ["libatomic.so.1", "libdl.so.2", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "libc.so.6"],
  );
  assert.ok(needs.find(({ soname }) => soname === "libc.so.6")?.versions.includes("GLIBC_2.28"));
});

const bad: [string, () => Buffer, RegExp][] = [
  ["no ELF file", () => Buffer.from("#!/bin/sh\n".repeat(20)), /does not start as a 64-bit/],
  ["an empty file", () => Buffer.alloc(0), /does not start as a 64-bit/],
  ["a 32-bit one", () => patched(4, 1), /does not start as a 64-bit/],
  ["a truncated one", () => base.subarray(0, 50_000_000), /ends before its segment/],
  ["a position-independent one", () => patched(16, 3), /position-independent/],
  ["one that holds a program already", () => injected, /PT_PHDR/],
  [
    "one whose fuse is blown",
    () => patched(base.indexOf(fuse) + fuse.length, "1".charCodeAt(0)),
    /already holds a program/,
  ],
  ["one without a fuse", () => patched(base.indexOf(fuse), 0), /no place for a program/],
  ["one with two fuses", () => withSecondFuse(), /there twice/],
];
for (const [title, make, expected] of bad) {
  test(`refused: ${title}`, () => {
    assert.throws(
      () => injectElf(make(), blob),
      (error) => error instanceof RouseError && expected.test(error.message),
    );
  });
}

// --- internal ---

const of = (elf: Elf, type: number): Segment[] => elf.segments.filter((segment) => segment.type === type);
const pageEnd = (at: number): number => Math.ceil(at / 0x10000) * 0x10000;

function patched(at: number, value: number): Buffer {
  const copy = Buffer.from(base);
  copy[at] = value;
  return copy;
}

function withSecondFuse(): Buffer {
  const copy = Buffer.from(base);
  copy.write(`${fuse}0`, 0x1000, "latin1");
  return copy;
}

/** By the format of elf(5), another way than the writer's: name and content are padded to 4 bytes. */
function readNotes(section: Buffer): { name: string; type: number; content: Buffer }[] {
  const notes = [];
  for (let at = 0; at + 12 <= section.length; ) {
    const [nameSize, contentSize, type] = [
      section.readUInt32LE(at),
      section.readUInt32LE(at + 4),
      section.readUInt32LE(at + 8),
    ];
    const content = at + 12 + ((nameSize + 3) & ~3);
    notes.push({
      name: section.toString("latin1", at + 12, at + 12 + nameSize - 1),
      type,
      content: Buffer.from(section.subarray(content, content + contentSize)),
    });
    at = content + ((contentSize + 3) & ~3);
  }
  return notes;
}
