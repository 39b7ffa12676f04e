import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { flags, node, runtime } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-console-"));
after(() => rmSync(folder, { recursive: true }));

const IMPORT = `import { console } from ${JSON.stringify(runtime)};`;
const SOURCE = `console.debug("d"); console.log("l %d", 1); console.info({ i: 1 }); console.warn("w"); console.error("two\\nlines");`;

/** Both streams go to files; JOURNAL_STREAM names that of `journal`. */
function run(journal: "stdout" | "stderr" | "neither" | "both", source = SOURCE): { stdout: string; stderr: string } {
  const [out, error] = [join(folder, `${journal}.out`), join(folder, `${journal}.err`)];
  const stdio = [openSync(out, "w"), openSync(journal === "both" ? out : error, "a")] as const;
  const { dev, ino } = fstatSync(stdio[journal === "stderr" ? 1 : 0]);
  const env = { ...process.env, JOURNAL_STREAM: journal === "neither" ? "1:2" : `${dev}:${ino}` };
  spawnSync(node, [...flags, "--input-type=module", "--eval", IMPORT + source], { env, stdio: ["ignore", ...stdio] });
  const stderr = journal === "both" ? "" : readFileSync(error, "utf8");
  return { stdout: readFileSync(out, "utf8"), stderr };
}

describe("the console for the journal", () => {
  it("puts the priority before each line where the stream is the journal", () => {
    const { stdout } = run("both");
    assert.equal(stdout, "<7>d\n<6>l 1\n<6>{ i: 1 }\n<4>w\n<3>two\n<3>lines\n");
  });

  it("puts it nowhere else: other ends of a line than \\n are the text's own", () => {
    const { stdout } = run("both", 'console.log("a\\r\\nb\\u2028c");');
    assert.equal(stdout, "<6>a\r\n<6>b\u2028c\n");
  });

  it("ends no program whose reader has gone, as Node's own does not", () => {
    const source = `${IMPORT} import { writeSync } from "node:fs";
      const write = () => console.log("x".repeat(100));
      setTimeout(() => { write(); write(); }, 200);
      setTimeout(() => { write(); writeSync(2, "alive"); }, 300);`;
    const command = [node, ...flags, "--input-type=module", "--eval", source];
    const { stderr } = spawnSync("sh", ["-c", '"$0" "$@" | true', ...command], { encoding: "utf8" });
    assert.equal(stderr, "alive");
  });

  it("judges each stream by itself", () => {
    assert.deepEqual(run("stderr"), { stdout: "d\nl 1\n{ i: 1 }\n", stderr: "<4>w\n<3>two\n<3>lines\n" });
    assert.deepEqual(run("stdout"), { stdout: "<7>d\n<6>l 1\n<6>{ i: 1 }\n", stderr: "w\ntwo\nlines\n" });
  });

  it("is plain where JOURNAL_STREAM is that of somebody before", () => {
    assert.deepEqual(run("neither"), { stdout: "d\nl 1\n{ i: 1 }\n", stderr: "w\ntwo\nlines\n" });
  });
});
