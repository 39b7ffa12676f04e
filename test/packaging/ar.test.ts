import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { type ArMember, writeAr } from "../../packaging/deb/ar.ts";
import { folder } from "./sample.ts";
import { has, run } from "./tools.ts";

suite("the ar writer", () => {
  test("binutils reads names, times, owners, modes and contents, of odd and even length", async (t) => {
    if (!has(t, "ar", "binutils")) return;
    const path = join(await folder(t), "x.a");
    writeFileSync(path, await bytes([member("first", "odd"), member("second", ""), member("third-of-15byte", "even")]));
    assert.deepEqual(run("ar", ["tv", path]).split("\n").slice(0, -1), [
      "rw-r--r-- 0/0      3 Nov 14 22:13 2023 first",
      "rw-r--r-- 0/0      0 Nov 14 22:13 2023 second",
      "rw-r--r-- 0/0      4 Nov 14 22:13 2023 third-of-15byte",
    ]);
    assert.equal(run("ar", ["p", path]), "oddeven");
  });

  test("refuses names that deb(5) has no way to write", async () => {
    for (const name of ["", "sixteen-letters-", "with space", "a/b", "é"]) {
      await assert.rejects(bytes([member(name, "")]), RangeError, name);
    }
  });

  test("refuses a size that its content does not have, or its field does not hold", async () => {
    await assert.rejects(bytes([{ ...member("a", "abc"), size: 2 }]), /3 bytes instead of 2/);
    await assert.rejects(bytes([{ ...member("a", "abc"), size: 10 ** 10 }]), /does not fit/);
  });
});

// --- internal ---

function member(name: string, content: string): ArMember {
  return { name, size: content.length, content: [Buffer.from(content)] };
}

async function bytes(members: readonly ArMember[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeAr(members, 1_700_000_000)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
