import assert from "node:assert/strict";
import { basename } from "node:path";
import { sandbox } from "../../systemd/sandbox.ts";
import { startLoad } from "./load.ts";
import type { Machine } from "./machine.ts";
import { systemTest } from "./require.ts";
import { assertNoTraces, startSandboxed, traces, withRouse } from "./sandboxed-run.ts";
import { step } from "./step.ts";

const url = "http://127.0.0.1:8080";

systemTest(
  "run --sandbox: serves under the installed unit's sandbox, and names the setting of each denial",
  async (machine) => {
    await prepare(machine);
    const run = await startSandboxed(machine);
    await run.event("ready");
    assert.match((await machine.get(`${url}/`)).body, /^hello from \d+$/);
    assert.equal(await deed(machine, "state"), "done");
    for (const [name, code] of Object.entries(denials)) assert.equal(await deed(machine, name), code[0], name);
    assert.equal(await deed(machine, "nowhere"), "ENOENT");

    for (const [name, [, settings, subject, mend]] of Object.entries(denials)) {
      const { problem } = (await run.event("warning", ({ problem }) =>
        (problem as Problem).what.includes(subject),
      )) as unknown as { problem: Problem };
      const by = settings.length > 0 ? `denied by ${settings.join(" and ")}: ` : "";
      assert.ok(problem.what.startsWith(by), `${name}: ${problem.what}`);
      assert.match(problem.mend, mend, name);
    }
    const warnings = (await run.events()).filter(({ event }) => event === "warning");
    assert.equal(warnings.length, Object.keys(denials).length, JSON.stringify(warnings, null, 1));
    assert.match(
      await run.output(),
      /EROFS: read-only file system, open .*\n {4}at .*\n {4}at Object\.write \(server\.ts:/,
    );

    const unit = (await machine.run("ls /run/systemd/system/rouse-run-denied-????????.service")).stdout.trim();
    const lines = (await machine.run(["cat", unit])).stdout.split("\n");
    const lacking = sandbox("", { network: "none" }).filter(([name, value]) => {
      return name !== "ExecPaths" && !lines.includes(`${name}=${value}`);
    });
    assert.deepEqual(lacking, []);
    const process = await machine.process(basename(unit));
    assert.notEqual(process.uid, 0);
    assert.equal(process.capabilities.bounding, 0n);
    assert.equal(process.seccompMode, 2);
    assert.notEqual(process.network, machine.network);

    step("the same without the settings that were named");
    for (const [name, [code, settings, , , lifted = "done"]] of Object.entries(denials)) {
      if (settings.length === 0 || lifted === "as before") continue;
      const answer = await deedWithout(machine, lines, settings, name);
      assert.equal(answer, lifted, `${name}: ${code} under the sandbox, ${answer} without ${settings.join(", ")}`);
    }
    await run.kill("INT");
    assert.equal(await run.code(), 0);
    await machine.run("systemctl stop 'lifted*' && rm -rf /run/systemd/system/lifted*");
    await assertNoTraces(machine);
  },
  withRouse,
);

for (const [signal, code] of [
  ["INT", 0],
  ["KILL", 137],
] as const) {
  systemTest(
    `run --sandbox: nothing is left after SIG${signal}`,
    async (machine) => {
      await prepare(machine);
      const run = await startSandboxed(machine);
      await run.event("ready");
      assert.equal(await deed(machine, "state"), "done");
      assert.notDeepEqual(await traces(machine), []);
      await run.kill(signal);
      assert.equal(await run.code(), code);
      await assertNoTraces(machine);
      assert.equal(await machine.listens(8080), false);
    },
    withRouse,
  );
}

systemTest(
  "run --sandbox --lazy: the first connection starts it, and the next one after a crash",
  async (machine) => {
    await prepare(machine);
    const run = await startSandboxed(machine, "--lazy");
    await run.event("waiting");
    assert.deepEqual(
      (await run.events()).filter(({ event }) => event === "started"),
      [],
    );
    const first = (await machine.get(`${url}/`)).body;
    await machine.get(`${url}/crash`);
    const { code } = await run.event("exited");
    assert.equal(code, 1);
    const second = (await machine.get(`${url}/`)).body;
    assert.notEqual(second, first);
    assert.deepEqual(
      (await run.events()).filter(({ event }) => event === "started").map(({ cause }) => cause),
      ["connection", "connection"],
    );
    await run.kill("TERM");
    assert.equal(await run.code(), 0);
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox --watch: a change starts it anew, after a crash too, while connections wait",
  async (machine) => {
    await prepare(machine);
    const run = await startSandboxed(machine, "--watch");
    await run.event("ready");
    await machine.run("sed -i 's/hello from/hello again from/' /srv/denied/server.ts");
    await run.event("started", ({ cause }) => cause === "change");
    assert.match((await machine.get(`${url}/`)).body, /^hello again/);

    await machine.get(`${url}/crash`);
    await run.event("waiting", ({ for: what }) => what === "change");
    const waiting = machine.get(`${url}/`, { timeout: 20_000 });
    await machine.run("sed -i 's/hello again from/hello at last from/' /srv/denied/server.ts");
    assert.match((await waiting).body, /^hello at last/);
    await run.kill("INT");
    assert.equal(await run.code(), 0);
    await assertNoTraces(machine);
  },
  withRouse,
);

for (const user of ["root", "ann"]) {
  systemTest(
    `run --sandbox: ${user} finds variables, credentials and directories, several sockets and workers, and nothing of the shell's`,
    async (machine) => {
      await prepare(machine);
      if (user === "ann") await logIn(machine);
      await machine.write("/srv/denied/rouse.config.json", JSON.stringify(rich));
      await machine.write("/srv/token", "secret");
      await machine.write("/srv/variables", "FROM_FILE='a $b %c'\n");
      await machine.run(`rm /srv/denied/rouse.config.ts; chown ${user}: /srv/token; chmod 600 /srv/token`);
      const flags = "--credential token=/srv/token --environment-file /srv/variables";
      const run = await startSandboxed(machine, flags, { user, shell: "FROM_SHELL=yes" });
      const { sockets } = (await run.event("listening")) as unknown as { sockets: { name: string; url: string }[] };
      await run.event("ready");
      assert.deepEqual(JSON.parse((await machine.get(`${url}/found`)).body), {
        credential: "secret",
        GREETING: 'hello "you" 100% $HOME',
        FROM_FILE: "a $b %c",
        NODE_ENV: "production",
      });
      const admin = sockets.find(({ name }) => name === "admin")!.url;
      assert.equal((await machine.run(["curl", "-sS", "--unix-socket", admin, "http://admin/"])).stdout, "admin");
      await run.kill("INT");
      assert.equal(await run.code(), 0);
      await assertNoTraces(machine);
    },
    withRouse,
  );
}

systemTest(
  "run --sandbox: systemd tidies up also when all is killed that the terminal had: launcher, guardian and the rest",
  async (machine) => {
    await prepare(machine);
    const run = await startSandboxed(machine, "", { before: "systemd-run --quiet --scope --unit=terminal" });
    await run.event("ready");
    await machine.run("systemctl kill --signal=KILL terminal.scope");
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox: who misses the watchdog is ended by systemd, and that is told",
  async (machine) => {
    await prepare(machine);
    await machine.run("sed -i 's/stopTimeout/watchdog: \"1s\",\\n  stopTimeout/' /srv/denied/rouse.config.ts");
    const run = await startSandboxed(machine);
    await run.event("ready");
    await machine.try(["curl", "-sS", "--max-time", "10", `${url}/hang`]);
    const { problem } = await run.event("warning");
    assert.equal((problem as Problem).code, "ended-by-watchdog");
    assert.equal(await run.code(), 134);
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox: the second Ctrl-C kills what ignores the first",
  async (machine) => {
    await prepare(machine);
    const run = await startSandboxed(machine);
    await run.event("ready");
    assert.equal(await deed(machine, "stay"), "done");
    await run.kill("INT");
    await run.event("signal");
    await run.kill("INT");
    assert.equal(await run.code(), 137);
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox --watch: no connection is lost over 10 restarts",
  async (machine) => {
    await prepare(machine);
    const run = await startSandboxed(machine, "--watch");
    const pids = new Set([(await run.event("ready")).pid]);
    const load = await startLoad(machine, `${url}/`);
    for (let count = 1; count <= 10; count++) {
      await machine.run(`echo "// ${count}" >>/srv/denied/server.ts`);
      pids.add((await run.event("ready", ({ pid }) => !pids.has(pid))).pid);
    }
    const { requests, failures, slowest } = await load.stop();
    step(`${requests} requests, ${failures.length} failed, the slowest took ${slowest.toFixed(0)} ms`);
    assert.deepEqual(failures, []);
    await run.kill("INT");
    assert.equal(await run.code(), 0);
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox: a program that fails at its start ends the run with its code",
  async (machine) => {
    await prepare(machine);
    await machine.write("/srv/denied/server.ts", 'import "node:fs";\nprocess.exit(7);\n');
    const run = await startSandboxed(machine);
    assert.equal(await run.code(), 7);
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox: by a user's own systemd, which tells what it does not check",
  async (machine) => {
    await prepare(machine);
    await logIn(machine);
    const run = await startSandboxed(machine, "", { user: "ann" });
    await run.event("ready");
    const unchecked = (await run.events())
      .filter(({ event }) => event === "warning")
      .map(({ problem }) => problem as Problem)
      .filter(({ code }) => code === "sandbox-unchecked");
    const text = unchecked.map(({ what }) => what).join("\n");
    for (const setting of ["DynamicUser=yes", "IPAddressDeny=any", "DevicePolicy=closed", "ProtectProc=invisible"]) {
      assert.ok(text.includes(setting), text);
    }
    assert.equal(await deed(machine, "state"), "done");
    for (const name of ["write", "home", "project", "temporary", "device", "spawn", "chown", "priority", "connect"]) {
      assert.notEqual(await deed(machine, name), "done", name);
      const [, settings, subject] = denials[name]!;
      const { problem } = await run.event("warning", (event) => (event.problem as Problem).what.includes(subject));
      const named = settings.filter((setting) => !text.includes(setting));
      assert.ok(
        (problem as Problem).what.startsWith(named.length > 0 ? `denied by ${named.join(" and ")}: ` : ""),
        name,
      );
    }
    await run.kill("KILL");
    await assertNoTraces(machine);
  },
  withRouse,
);

systemTest(
  "run --sandbox: without a systemd to ask it says so, and what to do",
  async (machine) => {
    await prepare(machine);
    await logIn(machine);
    await machine.run("systemctl stop user@1000.service");
    const run = await startSandboxed(machine, "", { user: "ann" });
    assert.equal(await run.code(), 1);
    assert.match(await run.output(), /--sandbox needs a systemd to ask.*\n.*loginctl enable-linger/);
  },
  withRouse,
);

// --- internal ---

const rich = {
  name: "denied",
  entry: "server.ts",
  sockets: { http: 8080, admin: "unix:/run/denied-admin.sock" },
  directories: { state: true, cache: true },
  credentials: { token: "/etc/denied/token" },
  environment: { GREETING: 'hello "you" 100% $HOME' },
  workers: 2,
};

interface Problem {
  readonly code: string;
  readonly what: string;
  readonly mend: string;
}

const network = ["RestrictAddressFamilies=AF_UNIX", "PrivateNetwork=yes"];
const filter = ["SystemCallFilter=~@privileged @resources"];

/** By deed: its error, what denied it, what the failure is known by, what the mend says, and what comes of it where the settings are lifted. */
const denials: Readonly<
  Record<string, readonly [code: string, by: readonly string[], subject: string, mend: RegExp, lifted?: string]>
> = {
  write: ["EROFS", ["ProtectSystem=strict", "DynamicUser=yes"], "/var/lib/denied-by", /\$STATE_DIRECTORY/],
  cache: [
    "EROFS",
    ["ProtectSystem=strict", "DynamicUser=yes"],
    "/var/cache/denied-by",
    /directories: \{ cache: true \}/,
  ],
  home: ["EACCES", ["ProtectHome=yes"], "/home/notes.txt", /directories: \{ state: true \}/],
  project: ["ENOENT", [], "/srv/denied/data.json", /import it/],
  temporary: ["ENOENT", ["PrivateTmp=yes", "DynamicUser=yes"], "/tmp/shared.txt", /a \/tmp of its own/],
  device: ["ENOENT", ["PrivateDevices=yes"], "/dev/notes", /permissions\.devices/],
  process: ["ENOENT", ["ProtectProc=invisible"], "/proc/1/status", /no process of another user/],
  secret: ["EACCES", ["DynamicUser=yes"], "/etc/secret", /credentials/],
  spawn: ["EACCES", ["NoExecPaths=/"], "spawn true", /subprocesses/],
  chown: ["EPERM", filter, "chown '/tmp/own'", /give files away/],
  setuid: ["EPERM", filter, "setuid", /user of its own/],
  priority: ["ERR_SYSTEM_ERROR", filter, "uv_os_setpriority", /priorities/],
  interfaces: ["ERR_SYSTEM_ERROR", network.slice(0, 1), "uv_interface_addresses", /network: "outbound"/],
  connect: ["EAFNOSUPPORT", [...network, "IPAddressDeny=any"], "connect EAFNOSUPPORT", /network: "outbound"/],
  // Nobody answers in this machine.
  lookup: ["EAI_AGAIN", network, "getaddrinfo EAI_AGAIN somewhere.example", /network: "outbound"/, "as before"],
  listen: ["EAFNOSUPPORT", network, "listen EAFNOSUPPORT: address family not supported 127.0.0.1:8082", /sockets/],
  datagram: ["EAFNOSUPPORT", network, "bind EAFNOSUPPORT 0.0.0.0:8083", /sockets/],
};

async function prepare(machine: Machine): Promise<void> {
  await machine.run(`cp -r /srv/rouse/test/system/programs/denied /srv/denied
    mkdir /srv/denied/node_modules && ln -s /srv/rouse /srv/denied/node_modules/rouse
    for path in /srv/denied/data.json /home/notes.txt /tmp/shared.txt /dev/notes; do echo text >$path; done
    install -m 600 /dev/null /etc/secret`);
  // Somebody who can be connected to.
  await machine.write("/etc/systemd/system/sink.socket", "[Socket]\nListenStream=127.0.0.1:8081\nAccept=yes\n");
  await machine.write("/etc/systemd/system/sink@.service", "[Service]\nExecStart=/bin/true\n");
  await machine.run("systemctl daemon-reload && systemctl start sink.socket");
}

/** Her own systemd runs, as after a login; pam_systemd, which is not in this machine, would tell her processes where. */
async function logIn(machine: Machine): Promise<void> {
  await machine.run(`useradd --create-home --uid 1000 ann
    mkdir -p /home/ann/.cache && cp -r /root/.cache/rouse /home/ann/.cache/ && chown -R ann: /home/ann`);
  const where = "[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n";
  await machine.write("/etc/systemd/system/user@.service.d/where.conf", where);
  await machine.run("systemctl daemon-reload && systemctl start user@1000.service");
}

async function deed(machine: Machine, name: string): Promise<string> {
  return (await machine.get(`${url}/${name}`)).body;
}

/** The deed under the same unit, less these settings. */
async function deedWithout(
  machine: Machine,
  unit: readonly string[],
  settings: readonly string[],
  name: string,
): Promise<string> {
  const others =
    /^(Requires|Wants|After|OnSuccess|OnFailure|StandardOutput|StandardError|Type|WatchdogSec|StateDirectory.*)=/;
  const lines = unit.filter((line) => !others.test(line) && !settings.some((setting) => line.startsWith(setting)));
  lines.push(
    "Type=oneshot",
    `Environment=DEED=${name}`,
    "StandardOutput=journal",
    "StandardError=journal",
    "RemainAfterExit=yes",
  );
  const lifted = `lifted-${name}.service`;
  await machine.write(`/run/systemd/system/${lifted}`, lines.join("\n"));
  await machine.try(["systemctl", "start", lifted]);
  const journal = await machine.journal(lifted);
  return /deed \w+: (.*)/.exec(journal)?.[1] ?? journal;
}
