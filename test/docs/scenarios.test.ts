/** The harness itself: an example that does not do what the comment above it says must not pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { examplesIn } from "./examples.ts";
import { scenarios } from "./scenarios.ts";
import { makeWorkspace } from "./workspace.ts";

async function play(how: string, code: string, language = "ts"): Promise<void> {
  const [example] = examplesIn("docs/x.md", `# X\n\n<!-- example: ${how} -->\n\`\`\`${language}\n${code}\n\`\`\`\n`);
  using workspace = makeWorkspace([example!]);
  const [scenario, ...words] = how.split(" ") as [string, ...string[]];
  await scenarios[scenario]!(workspace.fileOf(example!), words);
}

const START = `import { activate } from "rouse"; const own = activate({ fallback: { http: 0 } });`;

test("a server answers on each of its sockets, and a part of one is put before the rest", async () => {
  await play("serve http", `${START} await own.listen(server, "http");`);
  await play("serve http", `const { activate } = require("rouse"); activate().listen(server, "http");`, "js");
  await play("within http", "activation.status('warm');");
  await play("run", START);
});

test("what ends, complains or does not answer has failed", async () => {
  await assert.rejects(play("serve http", START), /it ended/);
  await assert.rejects(play("serve http", `${START} own.listen(server, "htpp");`), /it ended.*htpp/);
  await assert.rejects(play("within http", `console.error("odd");`), /odd/);
  await assert.rejects(play("run", "process.exit(3);"), /code: 3/);
});

test("a definition is what Rouse takes, whole or in part", async () => {
  await play("definition", "sockets: { http: 80 }");
  await assert.rejects(play("definition", "sockets: { http: 80 }, sokets: {}"), /sokets/);
  await play("definition to run", 'exec: "./x.sh", sockets: { http: 80 }');
  await assert.rejects(play("definition", 'sockets: { qotd: { listen: 17, accept: "connection" } }'), /accept/);
});
