import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { installElsewhere } from "../helpers/elsewhere.ts";
import { systemTest } from "./require.ts";
import { step } from "./step.ts";

// A service that is not in examples/, in a folder elsewhere, built by the packed npm file: definition to answer, and all
// that the definition said must have reached the process.

const nasty = `a 'b' "c" $HOME \${HOME} %h %% \\n \\ ; # é\t\n\x01 end\\`;

systemTest(
  "elsewhere: a service written against the packed npm file is built, installed and answers",
  async (machine) => {
    using elsewhere = installElsewhere(project);
    const { artifacts } = JSON.parse(
      execFileSync("npx", ["rouse", "build", "--json", "--quiet"], { cwd: elsewhere.folder, encoding: "utf8" }),
    ) as { artifacts: { kind: string; path: string }[] };
    await machine.install(artifacts.find(({ kind }) => kind === "deb")!.path);
    const ask = async (path: string): Promise<string> => (await machine.get(`http://127.0.0.1:81${path}`)).body;

    step("arguments and environment arrive as they were written");
    assert.deepEqual(JSON.parse(await ask("/arguments")), ["--nasty", nasty]);
    assert.equal(await ask("/environment?NASTY"), nasty);
    assert.equal(await ask("/environment?NODE_ENV"), "production");
    assert.equal(await ask("/environment?LEVEL"), "info");

    step("the administrator's file wins");
    await machine.run("echo LEVEL=debug >>/etc/default/greeter && systemctl restart greeter.service");
    assert.equal(await ask("/environment?LEVEL"), "debug");

    step("the state directory is its own, and kept");
    assert.equal(await ask("/count"), "1");
    await machine.run("systemctl restart greeter.service");
    assert.equal(await ask("/count"), "2");

    step("the unix socket has the mode and group of the definition, and the same server");
    assert.equal((await machine.run("stat -c '%a %U:%G' /run/greeter.sock")).stdout, "660 root:adm\n");
    assert.equal((await machine.run("curl -sS --unix-socket /run/greeter.sock http://x/who")).stdout, "admin");
    assert.equal(await ask("/who"), "web");

    step("the status line and readiness reach systemd");
    assert.equal(await machine.show("greeter.service", "StatusText"), "greeting");
    assert.equal(await machine.show("greeter.service", "Type"), "notify");
    assert.match((await machine.run("systemctl status greeter.service")).stdout, /Main PID: \d+ \(greeter\)/);

    step("a crash shows the lines of the TypeScript source, and is mended by the next request");
    await assert.rejects(machine.get("http://127.0.0.1:81/crash"));
    const journal = await machine.waitFor("the trace", async () => {
      const text = await machine.journal("greeter.service");
      return text.includes("RangeError: no more greetings") && text;
    });
    assert.match(journal, /at giveUp \(src\/lib\.ts:3:9\)/);
    assert.equal(await ask("/who"), "web");

    step("a stop is an exit of its own, within its time");
    await machine.run("systemctl stop greeter.service greeter-web.socket greeter-admin.socket");
    assert.equal(await machine.show("greeter.service", "Result"), "success");
    assert.equal(await machine.show("greeter.service", "ExecMainStatus"), "0");

    step("a purge takes the state with it");
    await machine.run("dpkg --purge greeter");
    assert.equal(
      (await machine.try("ls -d /var/lib/greeter /var/lib/private/greeter /etc/default/greeter /run/greeter.sock"))
        .stdout,
      "",
    );
  },
);

// --- internal ---

const project = {
  "package.json": JSON.stringify({ name: "greeter", version: "0.9.0", type: "module" }),
  "rouse.config.json": JSON.stringify({
    entry: "src/server.ts",
    args: ["--nasty", nasty],
    environment: { NASTY: nasty, LEVEL: "info" },
    directories: { state: true },
    sockets: { web: { listen: 81 }, admin: { listen: "unix:/run/greeter.sock", group: "adm" } },
  }),
  "src/lib.ts": `type Never = never;
export function giveUp(): Never {
  throw new RangeError("no more greetings");
}
`,
  "src/server.ts": `import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { activate } from "rouse";
import { giveUp } from "./lib.ts";

const answers = (who: string): RequestListener => (request, response) => {
  const { pathname, search } = new URL(request.url ?? "/", "http://x");
  if (pathname === "/arguments") response.end(JSON.stringify(process.argv.slice(2)));
  else if (pathname === "/environment") response.end(process.env[search.slice(1)] ?? "(unset)");
  else if (pathname === "/count") response.end(String(count()));
  else if (pathname === "/crash") giveUp();
  else response.end(who);
};

function count(): number {
  const file = process.env.STATE_DIRECTORY + "/count";
  const next = existsSync(file) ? Number(readFileSync(file, "utf8")) + 1 : 1;
  writeFileSync(file, String(next));
  return next;
}

const activation = activate({ fallback: { web: 8081, admin: "unix:./admin.sock" } });
await activation.listen(createServer(answers("web")), "web");
await activation.listen(createServer(answers("admin")), "admin");
await activation.ready("greeting");
`,
};
