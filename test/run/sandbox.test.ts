import assert from "node:assert/strict";
import { test } from "node:test";
import { hello, makeProject } from "../helpers/project.ts";
import { rouse } from "../helpers/rouse.ts";

// What runs under a sandbox is in test/system/run-sandbox.test.ts. Here is what is refused before systemd is asked.

const perConnection = { sockets: { http: { listen: 8080, accept: "connection" } } };

for (const [title, args, config, what] of [
  ["another source", ["--as", "launchd"], {}, /--as launchd beside --sandbox has no meaning here/],
  ["an inspector", ["--inspect"], {}, /--inspect beside --sandbox, which has no network for a debugger/],
  ["no LISTEN_PID", ["--no-pid"], {}, /--no-pid beside --sandbox/],
  ["a process per connection", [], perConnection, /--sandbox does not do a process per connection yet/],
  ["a program of another language", [], { entry: undefined, exec: "/bin/sh" }, /another language \("exec"\) yet/],
] as const) {
  test(`run --sandbox: ${title} is refused, with what to do`, (t) => {
    const folder = makeProject(t, hello({ definition: config }));
    const { code, stderr } = rouse(["run", "--sandbox", "--port", "http=0", folder, ...args]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, what);
    assert.match(stderr, /\n {2}mend: /);
  });
}

test("run --sandbox: a program after -- is refused, since the sandbox is that of a definition's unit", () => {
  const { code, stderr } = rouse(["run", "--sandbox", "-s", "http=0", "--", "/bin/true"]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /--sandbox with a program after --.*\n {2}mend: write a definition/);
});
