import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { makeProject } from "../helpers/project.ts";
import { root } from "../helpers/rouse.ts";

/** What is left of these sockets when a launcher has told the guardian these lines, and is gone. */
async function left(t: TestContext, sockets: readonly string[], lines: (folder: string) => string): Promise<string[]> {
  const folder = makeProject(t, {});
  for (const name of sockets) {
    const server = createServer().listen(join(folder, name));
    t.after(() => server.close());
    await once(server, "listening");
  }
  const guardian = spawn("/bin/sh", [join(root, "src/run/processes/guardian.sh")], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  guardian.stdin.end(lines(folder));
  await once(guardian, "exit");
  return readdirSync(folder).sort();
}

describe("guardian of rouse run", () => {
  it("takes no path for a pattern", async (t) => {
    assert.deepEqual(await left(t, ["*.sock", "a.sock"], (folder) => `socket ${folder}/*.sock\n`), ["a.sock"]);
  });

  it("takes blanks for a part of a path", async (t) => {
    assert.deepEqual(await left(t, ["a b ", "a b", "a"], (folder) => `socket ${folder}/a b \n`), ["a", "a b"]);
  });

  it("removes nothing when the launcher has cleaned up itself", async (t) => {
    assert.deepEqual(await left(t, ["a.sock"], (folder) => `socket ${folder}/a.sock\ndone\n`), ["a.sock"]);
  });
});
