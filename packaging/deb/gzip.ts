import { constants, gzipSync } from "node:zlib";

/**
 * Gzip with the same bytes on every machine (RFC 1952): no time, and the operating system named Unix whatever it is. Runs only, no search
 * for matches: zlib searches with other instructions, and other results, on each architecture. For small texts that costs little.
 */
export function gzip(content: Uint8Array | string): Buffer {
  const bytes = gzipSync(content, { level: 9, strategy: constants.Z_RLE });
  bytes.writeUInt32LE(0, 4);
  bytes[9] = 3;
  return bytes;
}
