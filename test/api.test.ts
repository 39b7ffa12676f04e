/** The types that users program against are a promise: a change of them has to be seen, and wanted. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readDeclarations } from "../scripts/declaration-file.ts";
import { emitDeclarations } from "../scripts/declarations.ts";
import { root } from "./helpers/rouse.ts";

const RENEW = "bin/pinned-node --test --test-update-snapshots test/api.test.ts";
const entries = { rouse: "src/index.ts", "rouse/adopt": "src/adopt.ts", "rouse/config": "src/config.ts" };

test("the public API is what the checked-in snapshot says", (t) => {
  using declarations = emitDeclarations();
  const there = Object.entries(entries).filter(([, entry]) => existsSync(join(root, entry)));
  const sections = there.map(([name, entry]) => `// ---- "${name}" ----\n\n${declarations.rolledUp(entry)}`);
  const text = `// The public API. Renewed with \`${RENEW}\`.\n\n${sections.join("\n")}`;
  try {
    t.assert.fileSnapshot(text, join(import.meta.dirname, "golden/api.d.ts"), {
      serializers: [(value) => value as string],
    });
  } catch (error) {
    const mend = `The public API has changed. If that is meant, renew the snapshot with\n  ${RENEW}\nand tell users in CHANGELOG.md.`;
    throw new Error(`${mend}\n${(error as Error).message}`, { cause: error });
  }
});

test("what is rolled up is all that the entry needs, and nothing that it does not", () => {
  const { declarations, exports, imports, reexports } = readDeclarations(`/** Of the file. */
import { type A, type Socket as Datagram } from "node:x";
export { type B, c as d } from "./b.ts";
/** Its own. */
export declare function f(a: A): void;
export declare function f(a: string, b: {
    x: number;
}): Hidden;
interface Hidden {
}
export {};
`);
  assert.deepEqual(exports, ["f"]);
  assert.deepEqual([...declarations.keys()], ["f", "Hidden"]);
  assert.match(declarations.get("f")!, /^\/\*\* Its own\. \*\/\ndeclare function[^;]+;\ndeclare function f\(a: string/);
  assert.deepEqual(imports[1], { name: "Datagram", original: "Socket", from: "node:x" });
  assert.deepEqual(reexports[1], { name: "d", original: "c", from: "./b.ts" });
  assert.throws(() => readDeclarations("export default x;"), /not understood/);
});
