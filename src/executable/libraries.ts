import type { LibraryNeed } from "../../packaging/packager.ts";
import { readElf, segmentType } from "./elf.ts";

/**
 * The shared libraries that an executable asks for, with the symbol versions it needs of each.
 * Follows the dynamic section (elf(5)) and its version needs (Linux Standard Base, "Symbol Versioning").
 */
export function readLibraryNeeds(image: Buffer): LibraryNeed[] {
  const { segments } = readElf(image);
  const dynamic = segments.find(({ type }) => type === segmentType.dynamic);
  if (!dynamic) return [];
  const entries = readDynamic(image.subarray(dynamic.offset, dynamic.offset + dynamic.fileSize));
  const value = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.value;
  const offsetOf = (address: number): number => {
    const holder = segments.find(
      (segment) =>
        segment.type === segmentType.load && address >= segment.address && address < segment.address + segment.fileSize,
    )!;
    return address - holder.address + holder.offset;
  };
  const strings = offsetOf(value(tags.strings)!);
  const text = (index: number): string => {
    const start = strings + index;
    return image.toString("latin1", start, image.indexOf(0, start));
  };
  const needsAddress = value(tags.versionNeeds);
  const versions = needsAddress ? readVersionNeeds(image, offsetOf(needsAddress), text) : new Map<string, string[]>();
  return entries
    .filter(({ tag }) => tag === tags.needed)
    .map((entry) => text(entry.value))
    .map((soname) => ({ soname, versions: (versions.get(soname) ?? []).sort() }));
}

// --- internal ---

const tags = { needed: 1, strings: 5, versionNeeds: 0x6ffffffe };

function readDynamic(section: Buffer): { tag: number; value: number }[] {
  return Array.from({ length: section.length / 16 }, (_, index) => ({
    tag: Number(section.readBigInt64LE(index * 16)),
    value: Number(section.readBigUInt64LE(index * 16 + 8)),
  }));
}

/** Two linked lists: one Verneed for each library, in it one Vernaux for each version. Each names the distance to the next. */
function readVersionNeeds(image: Buffer, start: number, text: (index: number) => string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let need = start;
  for (;;) {
    const names: string[] = [];
    let version = need + image.readUInt32LE(need + 8);
    for (let left = image.readUInt16LE(need + 2); left > 0; left--) {
      names.push(text(image.readUInt32LE(version + 8)));
      version += image.readUInt32LE(version + 12);
    }
    found.set(text(image.readUInt32LE(need + 4)), names);
    const distance = image.readUInt32LE(need + 12);
    if (distance === 0) return found;
    need += distance;
  }
}
