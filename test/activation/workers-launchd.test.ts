import assert from "node:assert/strict";
import { it } from "node:test";
import { startUnderLaunchd } from "../helpers/launchd.ts";
import { holdSocket } from "../helpers/passed-socket.ts";
import { has } from "../helpers/tools.ts";
import { waitFor } from "../system/wait.ts";
import { node, runtime } from "./program.ts";
import { ask, watchSupervised } from "./supervised.ts";

it("workers serve what launchd gives to their supervisor, every descriptor of the name", async (t) => {
  if (!has(t, "cc", "gcc libc6-dev")) return;
  const sockets = [holdSocket(), holdSocket({ host: "::1" })];
  t.after(() => {
    for (const socket of sockets) socket.close();
  });
  const script = `import { activate, supervise } from ${JSON.stringify(runtime)}; import http from "node:http";
    await supervise({ workers: 2, sockets: ["http"] }, async () => {
      const activation = activate({ fallback: { http: 0 } });
      const server = http.createServer((request, response) => response.end(process.pid + " " + activation.source));
      await activation.listen(server, "http");
    });`;
  const program = watchSupervised(
    t,
    startUnderLaunchd(t, node, ["--input-type=module", "--eval", script], { job: { http: sockets } }),
  );
  for (const [index, host] of ["127.0.0.1", "::1"].entries()) {
    const seen = new Set<string>();
    await waitFor("both answer", async () => {
      const [pid, source] = (await ask({ host, port: sockets[index]!.port })).split(" ");
      assert.equal(source, "launchd");
      seen.add(pid!);
      return seen.size === 2;
    });
    assert.deepEqual([...seen].map(Number).sort(), [...program.workers()].sort());
  }
  program.child.kill();
  assert.deepEqual(await program.ended.then(({ code, stderr }) => [code, stderr]), [0, ""]);
});
