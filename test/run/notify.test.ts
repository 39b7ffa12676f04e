import assert from "node:assert/strict";
import { readFileSync, utimesSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ask } from "../helpers/ask.ts";
import { hello, makeProject } from "../helpers/project.ts";
import { startRun } from "../helpers/run.ts";
import { waitFor } from "../system/wait.ts";
import { SERVER, script } from "./script.ts";

const HTTP = ["-s", "http=127.0.0.1:0"];

describe("rouse run: what the program tells its manager", () => {
  it("is ready when it listens; its status, its reload and its stop are told", async (t) => {
    const lines = `${SERVER}activation.status("as busy as a bee");
activation.onReload(() => {});`;
    const run = startRun(t, [...HTTP, "--", ...script(t, lines)]);
    const { pid } = await run.event("started");
    assert.equal((await run.event("ready")).pid, pid);
    assert.equal((await run.event("status")).text, "as busy as a bee");
    assert.equal(await ask({ port: await run.port("http") }), String(pid));
    run.child.kill("SIGHUP");
    await run.event("reloading");
    await run.event("reloaded");
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
    await run.event("stopping");
  });

  it("keeps what it stores, and hands it on after a change", async (t) => {
    const lines = `${SERVER}const kept = [...activation].filter(({ name }) => name === "kept");
if (kept.length === 0) {
  const other = net.createServer().listen(0, "127.0.0.1", async () => {
    await activation.store("kept", other._handle.fd);
    console.log("stored");
  });
} else console.log("kept:", kept.map(({ type, role }) => type + " " + role).join());
`;
    const command = script(t, lines);
    const run = startRun(t, [...HTTP, "--watch-path", command.at(-1)!, "--", ...command]);
    await run.printed(/stored/);
    assert.equal((await run.event("stored")).name, "kept");
    utimesSync(command.at(-1)!, new Date(), new Date());
    await run.printed(/kept: stream listener/);
  });

  it("sees whether the watchdog is kept, and kills nobody", async (t) => {
    const server = `import { createServer } from "node:http";
import { activate } from "rouse";
const server = createServer((request, response) => {
  for (const end = Date.now() + (request.url === "/block" ? 1800 : 0); Date.now() < end; );
  response.end(String(process.pid));
});
await activate({ fallback: { http: 8080 } }).listen(server, "http");
`;
    const folder = makeProject(t, hello({ server, definition: { watchdog: "1s" } }));
    const run = startRun(t, ["--port", "http=0", folder]);
    const port = await run.port("http");
    await run.event("watchdog", ({ kept }) => kept);
    const answer = ask({ port }, "/block");
    const { ms } = await run.event("watchdog", ({ kept }) => !kept);
    assert.ok(ms >= 1000);
    assert.equal(await answer, await ask({ port }));
    const again = (): boolean => run.events.filter((event) => event.event === "watchdog" && event.kept).length === 2;
    await waitFor("for a sign of life", async () => again());
    // A reload is no sign of life that was missed, nor is the stop.
    assert.deepEqual(await run.stop(), { code: 0, signal: null });
  });

  it("says that a message of another process than the main one would not be listened to", async (t) => {
    const child = `import { sendUnixDatagram } from ${JSON.stringify(new URL("../../src/activation/ffi.ts", import.meta.url).href)};
sendUnixDatagram(process.env.TOLD, "READY=1");`;
    const lines = `const { spawn } = await import("node:child_process");
const { writeFileSync } = await import("node:fs");
writeFileSync(import.meta.dirname + "/child.ts", ${JSON.stringify(child)});
spawn(process.execPath, [import.meta.dirname + "/child.ts"], { env: { ...process.env, TOLD: process.env.NOTIFY_SOCKET }, stdio: "inherit" });
setInterval(() => {}, 1000);`;
    const run = startRun(t, [...HTTP, "--", ...script(t, lines)]);
    const { problem } = await run.event("warning");
    assert.equal(problem.code, "not-main-process");
    assert.match(problem.what, /READY.*NotifyAccess=main/);
    assert.ok(!run.events.some(({ event }) => event === "ready"));
  });

  it("offers no notify socket where the real thing has none", async (t) => {
    for (const as of ["inetd", "fd", "launchd"]) {
      const lines = `console.error("notify", process.env.NOTIFY_SOCKET, process.env.LISTEN_FDS); process.exit(5);`;
      const report = join(makeProject(t, {}), "report");
      const run = startRun(t, [
        ...HTTP,
        "--as",
        as,
        "--",
        "/bin/sh",
        "-c",
        `exec "$@" 2>"${report}"`,
        "sh",
        ...script(t, lines),
      ]);
      const client = connect(await run.port("http"), "127.0.0.1").on("error", () => {});
      assert.equal((await run.event("exited")).code, 5);
      assert.equal(readFileSync(report, "utf8"), "notify undefined undefined\n");
      client.destroy();
    }
  });
});
