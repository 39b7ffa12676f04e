import { constants, createZstdCompress, type ZstdCompress } from "node:zlib";

/**
 * One zstd frame (RFC 8878) with a checksum.
 * Each chunk is waited for, and the end comes after the last: a stream that is ended with a chunk still in its queue finishes twice,
 * which adds an empty second frame, and whether that happens is a matter of timing.
 * @param level 3 unless told: of a 116 MB executable it makes 39 MB in 0.9 s; 9 makes 35 MB in 4 s, 19 makes 31 MB in a minute
 */
export async function* zstd(chunks: AsyncIterable<Uint8Array>, level = 3): AsyncGenerator<Uint8Array> {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  const stream = createZstdCompress({ params, chunkSize: 256 * 1024 });
  const fed = feed(stream, chunks).catch((error) => void stream.destroy(error));
  yield* stream;
  await fed;
}

// --- internal ---

async function feed(stream: ZstdCompress, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  // A stream that its reader gave up never calls back.
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});
  stream.once("close", () => closed.reject(new Error("the compressed data has no reader any more")));
  for await (const chunk of chunks) {
    const written = Promise.withResolvers<void>();
    stream.write(chunk, (error) => (error ? written.reject(error) : written.resolve()));
    await Promise.race([written.promise, closed.promise]);
  }
  stream.end();
}
