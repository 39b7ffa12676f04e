import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { zstd } from "../../packaging/zstd.ts";

suite("zstd", () => {
  for (const sizes of [[], [0], [1], [70_000, 1], [1, 3_000_000, 512, 512], Array(300).fill(10_000)]) {
    test(`makes one frame of ${sizes.length} chunks, whenever they come`, async () => {
      const input = sizes.map((size, index) => Buffer.alloc(size, `${index} soup`));
      const results: Buffer[] = [];
      for (const late of [false, true]) {
        results.push(await collect(zstd(chunks(input, late))));
      }
      const [first, second] = results;
      assert.ok(first!.equals(second!));
      assert.ok(zstdDecompressSync(first!).equals(Buffer.concat(input)));
      // Magic number of RFC 8878; the inputs are regular enough that no compressed block has it by chance.
      assert.equal(first!.indexOf("28b52ffd", 1, "hex"), -1);
    });
  }

  test("passes on what its input throws", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(100_000);
      throw new Error("no more");
    }
    await assert.rejects(collect(zstd(broken())), /no more/);
  });

  test("ends its input when nobody reads on", async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (let index = 0; ; index++) yield Buffer.alloc(1_000_000, `${index ** 7}`);
      } finally {
        ended = true;
      }
    }
    for await (const _ of zstd(endless())) break;
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(ended);
  });
});

// --- internal ---

async function* chunks(input: readonly Uint8Array[], late: boolean): AsyncGenerator<Uint8Array> {
  for (const chunk of input) {
    if (late) await new Promise((resolve) => setImmediate(resolve));
    yield chunk;
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}
