import type { Job, KnownSocket } from "./job.ts";

/**
 * The job as the machine code reads it: records one after the other, and a size of 0. Numbers are little-endian.
 *
 *     u32 size of the record, a multiple of 8       for each descriptor:  u64 st_dev
 *     u32 taken: 0 or 1                                                   u64 st_ino
 *     u32 how many descriptors                                            u32 descriptor
 *     u32 where the name begins in the record                             u32 0
 *     the descriptors, then the name and NUL
 */
export function writeTable(job: Job): Buffer {
  return Buffer.concat([...job.map(({ name, sockets }) => writeRecord(name, sockets)), Buffer.alloc(8)]);
}

// --- internal ---

const HEAD = 16;
const ENTRY = 24;

function writeRecord(name: string, sockets: readonly KnownSocket[]): Buffer {
  const bytes = Buffer.from(`${name}\0`);
  const nameAt = HEAD + ENTRY * sockets.length;
  const record = Buffer.alloc(Math.ceil((nameAt + bytes.length) / 8) * 8);
  record.writeUInt32LE(record.length, 0);
  record.writeUInt32LE(sockets.length, 8);
  record.writeUInt32LE(nameAt, 12);
  for (const [index, { descriptor, device, inode }] of sockets.entries()) {
    const entry = HEAD + ENTRY * index;
    record.writeBigUInt64LE(device, entry);
    record.writeBigUInt64LE(inode, entry + 8);
    record.writeUInt32LE(descriptor, entry + 16);
  }
  bytes.copy(record, nameAt);
  return record;
}
