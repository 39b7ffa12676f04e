/** How the examples are run, by the first word of the comment above them. test/docs.test.ts explains them to authors. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { get as getSecurely } from "node:https";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { readService, readServiceToRun } from "../../src/definition.ts";
import { startProgram } from "../helpers/on-demand.ts";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";

/** `file` is the example in its workspace; `words` is what follows the scenario's name. Throws where the example does not do what it should. */
export type Scenario = (file: string, words: readonly string[]) => Promise<void>;

export const scenarios: Readonly<Record<string, Scenario>> = {
  serve: (file, names) => serve([file], names),

  async within(file, names) {
    const around = `${file}.around.mjs`;
    const listens = names.map((name) => `await activation.listen(server, ${JSON.stringify(name)});`).join(" ");
    writeFileSync(around, `await import(${JSON.stringify(pathToFileURL(file).href)}); ${listens}`);
    await serve([around], names);
  },

  async adopt(file, map) {
    const names = map.map((rule) => rule.split("=")[0]!);
    const adoption = pathToFileURL(join(import.meta.dirname, "../../src/adopt.ts")).href;
    await serve(["--import", adoption, file], names, { ROUSE_ADOPT: map.join(" ") });
  },

  async run(file, names) {
    await using sockets = holdSockets(names);
    const { code, stderr } = await start([file], sockets.byName).ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  },

  async definition(file, words) {
    const project = mkdtempSync(join(dirname(file), "definition-"));
    const code = readFileSync(file, "utf8");
    cpSync(file, join(project, "rouse.config.ts"));
    const manifest = {
      name: "example",
      version: "1.0.0",
      description: "An example",
      license: "MIT",
      author: "A <a@b.example>",
    };
    writeFileSync(join(project, "package.json"), JSON.stringify({ ...manifest, type: "module" }));
    for (const [, entry] of code.matchAll(/entry: "([^"]+)"/g)) {
      mkdirSync(dirname(join(project, entry!)), { recursive: true });
      writeFileSync(join(project, entry!), "");
    }
    for (const [, exec] of code.matchAll(/exec: "([^"]+)"/g)) writeFileSync(join(project, exec!), "", { mode: 0o755 });
    if (words.join(" ") === "to run") await readServiceToRun(project, { host: "linux-x64" });
    else await readService(project);
  },
};

// --- internal ---

/** Every socket answers; then SIGTERM ends it with 0, and it has had nothing to complain of. */
async function serve(args: readonly string[], names: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
  assert.ok(names.length > 0, "name the sockets: example: serve http");
  await using sockets = holdSockets(names);
  const program = start(args, sockets.byName, env);
  const failed = program.ended.then((result) => Promise.reject(new Error(`it ended: ${JSON.stringify(result)}`)));
  failed.catch(() => {});
  for (const [name, { port }] of Object.entries(sockets.byName)) {
    assert.ok((await Promise.race([ask(name, port), failed])) !== "", `${name} answers nothing`);
  }
  program.child.kill("SIGTERM");
  const { code, stderr } = await program.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
}

function start(
  args: readonly string[],
  sockets: Readonly<Record<string, HeldSocket>>,
  env?: NodeJS.ProcessEnv,
): ReturnType<typeof startProgram> {
  const folder = dirname(args.at(-1)!);
  const ambient = pathToFileURL(join(folder, "ambient.ts")).href;
  const EXAMPLE_PEM = join(import.meta.dirname, "../activation/localhost.pem");
  return startProgram(process.execPath, ["--import", ambient, ...args], {
    sockets,
    env: { ...env, EXAMPLE_PEM, CREDENTIALS_DIRECTORY: credentials(EXAMPLE_PEM, folder) },
  });
}

/** What systemd would give a service that has a certificate. */
function credentials(pem: string, folder: string): string {
  const directory = join(folder, "credentials");
  mkdirSync(directory, { recursive: true });
  for (const name of ["tls.key", "tls.crt"]) cpSync(pem, join(directory, name));
  return directory;
}

function holdSockets(names: readonly string[]): AsyncDisposable & { readonly byName: Record<string, HeldSocket> } {
  const byName = Object.fromEntries(names.map((name) => [name, holdSocket()]));
  return {
    byName,
    async [Symbol.asyncDispose]() {
      for (const socket of Object.values(byName)) socket.close();
    },
  };
}

async function ask(name: string, port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, rejectUnauthorized: false, agent: false, timeout: 20_000 } as const;
    const request = (name === "https" ? getSecurely : get)(options, (response) => resolve(text(response)));
    request.on("error", reject).on("timeout", () => request.destroy(new Error(`${name} does not answer`)));
  });
}
