import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ask } from "../helpers/ask.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { type Run, startRun } from "../helpers/run.ts";
import { script } from "./script.ts";

/** Answers "VERSION PID"; /slow after a second. */
const server = (version: string, more = ""): string => `import { createServer } from "node:http";
import { activate } from "rouse";
const server = createServer((request, response) => {
  setTimeout(() => response.end(\`${version} \${process.pid}\`), request.url === "/slow" ? 2500 : 0);
});
${more}
await activate({ fallback: { http: 8080 } }).listen(server, "http");
`;

interface Watched {
  readonly run: Run;
  readonly port: number;
  readonly folder: string;
  /** Writes the server anew. */
  write(text: string): void;
}

async function watched(t: TestContext, first: string, flags: readonly string[] = []): Promise<Watched> {
  const folder = makeProject(t, hello({ server: first }));
  const run = startRun(t, ["--watch", "--port", "http=0", ...flags, folder]);
  const port = await run.port("http");
  return { run, port, folder, write: (text) => writeFileSync(join(folder, "src/server.ts"), text) };
}

const starts = ({ events }: Run): number => events.filter(({ event }) => event === "started").length;

/** Asks until that version answers: a save takes a moment to be seen. */
async function answers(port: number, version: string): Promise<string> {
  for (;;) {
    const answer = await ask({ port });
    if (answer.startsWith(`${version} `)) return answer;
  }
}

describe("rouse run --watch", () => {
  it("starts what was saved, and ends what ran before", async (t) => {
    const { run, port, write } = await watched(t, server("one"));
    const [, first] = (await ask({ port })).split(" ");
    write(server("two"));
    await answers(port, "two");
    assert.throws(() => process.kill(Number(first), 0));
    assert.deepEqual((await run.event("changed")).files.length, 1);
    assert.equal(starts(run), 2);
  });

  it("starts what was saved while the first build was made and started", async (t) => {
    const { run, port, write } = await watched(t, server("one"));
    await run.event("built");
    write(server("two"));
    await answers(port, "two");
  });

  it("keeps the old process over a syntax error, and tells the place", async (t) => {
    const { run, port, write } = await watched(t, server("one"));
    const before = await ask({ port });
    write(`${server("two")}\nlet let = ;`);
    const { problems, keepsServing } = await run.event("build-failed");
    assert.match(problems[0]!.where!.file!, /src\/server\.ts$/);
    assert.equal(problems[0]!.where!.line, 9);
    assert.ok(keepsServing);
    assert.equal(await ask({ port }), before);
    write(server("three"));
    await answers(port, "three");
    assert.equal(starts(run), 2);
  });

  it("shows the TypeScript line of a crash, and lets connections wait for the change that mends it", async (t) => {
    const { run, port, write } = await watched(t, server("one"));
    await answers(port, "one");
    write(server("two", `interface Unused {}\n\n(function broken(): never { throw new Error("out of order"); })();`));
    await run.event("waiting", (event) => event.for === "change");
    assert.match(run.stderr, /Error: out of order\n\s+at broken \(.*src\/server\.ts:8:35\)/);
    const waiting = ask({ port });
    const other = ask({ port });
    write(server("three"));
    assert.match(await waiting, /^three /);
    assert.match(await other, /^three /);
  });

  it("waits for a change where the first build fails, too", async (t) => {
    const { run, port, write } = await watched(t, "let let = ;");
    const { keepsServing } = await run.event("build-failed");
    assert.equal(keepsServing, false);
    const waiting = ask({ port });
    write(server("one"));
    assert.match(await waiting, /^one /);
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
  });

  it("lets a long request be answered by the old process while the new one serves", async (t) => {
    const { run, port, write } = await watched(t, server("one"));
    await answers(port, "one");
    const slow = ask({ port }, "/slow");
    await new Promise((resolve) => setTimeout(resolve, 200));
    write(server("two"));
    await answers(port, "two");
    let isAnswered = false;
    void slow.then(() => {
      isAnswered = true;
    });
    assert.equal(isAnswered, false);
    assert.match(await slow, /^one /);
    assert.ok(!run.events.some(({ event }) => event === "warning"));
  });

  it("begins with nothing of the new program before the old one has ended", async (t) => {
    const slowly = (version: string): string =>
      server(
        version,
        `console.log("${version} begins");
process.once("exit", () => {
  for (const end = Date.now() + 400; Date.now() < end; );
  console.log("${version} ends");
});`,
      );
    const { run, port, write } = await watched(t, slowly("one"));
    await answers(port, "one");
    write(slowly("two"));
    await answers(port, "two");
    assert.deepEqual(run.stderr.match(/^\w+ (begins|ends)$/gm), ["one begins", "one ends", "two begins"]);
  });

  it("hands on what the old program stores when it is about to end", async (t) => {
    const lines = (version: string): string =>
      server(
        version,
        `import net from "node:net";
const activation = activate({ fallback: { http: 8080 } });
console.log("${version} kept", [...activation].filter(({ name }) => name === "kept").length);
const other = net.createServer().listen(0, "127.0.0.1");
activation.signal.addEventListener("abort", () => activation.store("kept", (other as unknown as { _handle: { fd: number } })._handle.fd).then(() => other.close()));`,
      );
    const { run, port, write } = await watched(t, lines("one"));
    await answers(port, "one");
    write(lines("two"));
    await answers(port, "two");
    assert.match(run.stderr, /^one kept 0$[\s\S]*^two kept 1$/m);
  });

  it("builds again for a file that is only imported, also when it was missing", async (t) => {
    const { run, port, folder, write } = await watched(t, server("one", `import { more } from "./more.ts"; more();`));
    await run.event("build-failed");
    writeFileSync(join(folder, "src/more.ts"), "export const more = () => {};");
    await answers(port, "one");
    writeFileSync(join(folder, "src/more.ts"), `export const more = () => console.log("changed");`);
    await run.printed(/^changed$/m);
    write(server("two"));
    await answers(port, "two");
  });

  it("says that a changed definition needs a new run", async (t) => {
    const { run, port, folder } = await watched(t, server("one"));
    await answers(port, "one");
    const file = join(folder, "rouse.config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace("8080", "8081"));
    assert.equal((await run.event("warning")).problem.code, "definition-changed");
  });

  it("replaces a program that ignores SIGTERM, and says so", async (t) => {
    const lines = `process.on("SIGTERM", () => {}); console.log("begun");
http.createServer((_, response) => response.end("served " + process.pid)).listen({ fd: 3 });`;
    const command = script(t, lines);
    const run = startRun(t, ["-s", "http=127.0.0.1:0", "--watch-path", command.at(-1)!, "--", ...command]);
    const first = await ask({ port: await run.port("http") });
    writeFileSync(command.at(-1)!, `${readFileSync(command.at(-1)!, "utf8")}\n`);
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "ignores-signal");
    assert.match(problem.what, /process \d+ had not ended 3 s after it was asked to, and was killed/);
    // Until then it answers.
    await run.event("exited");
    assert.notEqual(await ask({ port: await run.port("http") }), first);
    run.child.kill("SIGTERM");
    await run.event("signal");
    // The same one, so soon, would be taken for an echo of the first.
    run.child.kill("SIGINT");
    assert.equal((await run.ended).code, 137);
  });

  it("starts on demand with --lazy, and the next connection gets what was saved last", async (t) => {
    const { run, port, write } = await watched(t, server("one"), ["--lazy"]);
    assert.match(await ask({ port }), /^one /);
    write(server("two"));
    await run.event("changed");
    await answers(port, "two");
    assert.ok(run.events.every((event) => event.event !== "started" || event.cause === "connection"));
  });
});

describe("rouse run --inspect", () => {
  it("reaches the program, also after a change", async (t) => {
    const { run, port, write } = await watched(t, server("one"), ["--inspect=127.0.0.1:0"]);
    const [, debuggerPort] = await run.printed(/Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)/);
    const targets = JSON.parse(await ask({ port: Number(debuggerPort) }, "/json/list")) as { url: string }[];
    assert.equal(targets.length, 1);
    write(server("two"));
    await answers(port, "two");
    assert.equal(run.stderr.match(/Debugger listening/g)?.length, 2);
  });

  it("is refused where the program is none of ours", async (t) => {
    const run = startRun(t, ["--inspect", "--", "sleep", "60"]);
    assert.equal((await run.ended).code, 1);
    assert.match(run.stderr, /--inspect has no meaning here\n {2}mend: give it to node itself/);
  });
});

it("rouse run --watch ends at a signal also where nothing was built yet", async (t) => {
  const { run, port } = await watched(t, "let let = ;");
  await run.event("build-failed");
  const client = connect(port, "127.0.0.1").on("error", () => {});
  assert.deepEqual(await run.stop(), { code: 0, signal: null });
  client.destroy();
});
