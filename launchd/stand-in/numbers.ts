/** Numbers as bytes, little-endian. */
export const u16 = (...values: number[]): Buffer =>
  write(values, 2, (bytes, value, at) => bytes.writeUInt16LE(value, at));
export const u32 = (...values: number[]): Buffer =>
  write(values, 4, (bytes, value, at) => bytes.writeUInt32LE(value, at));
export const u64 = (...values: number[]): Buffer =>
  write(values, 8, (bytes, value, at) => bytes.writeBigUInt64LE(BigInt(value), at));

// --- internal ---

function write(
  values: readonly number[],
  size: number,
  put: (bytes: Buffer, value: number, at: number) => void,
): Buffer {
  const bytes = Buffer.alloc(values.length * size);
  for (const [index, value] of values.entries()) put(bytes, value, index * size);
  return bytes;
}
