import assert from "node:assert/strict";
import { environmentFiles } from "../run/environment-files.ts";
import type { Machine } from "./machine.ts";
import { systemTest } from "./require.ts";

systemTest("environment files: systemd reads the tested ones as `rouse run` does", async (machine) => {
  const read: unknown[] = [];
  for (const [index, [title, content]] of environmentFiles.entries()) {
    const file = `/srv/${index}`;
    await machine.write(`${file}.base64`, Buffer.from(content).toString("base64"));
    await machine.run(`base64 --decode ${file}.base64 >${file}`);
    read.push([title, await variables(machine, file)]);
  }
  assert.deepEqual(
    read,
    environmentFiles.map(([title, , expected]) => [title, expected]),
  );
});

// --- internal ---

/** What a service with this EnvironmentFile= has of it; "refused" where it is not started. */
async function variables(machine: Machine, file: string): Promise<Record<string, string> | "refused"> {
  const property = `--property=EnvironmentFile=${file}`;
  const command = ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", property, "/usr/bin/env", "--null"];
  const { code, stdout } = await machine.try(command);
  if (code !== 0) return "refused";
  const all = stdout.split("\0").filter((text) => text !== "");
  const pairs = all.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]);
  return Object.fromEntries(pairs.filter(([name]) => !systemdsOwn.has(name!)));
}

/** systemd.exec(5), "Environment variables in spawned processes". */
const systemdsOwn = new Set(
  "LANG PATH LOGNAME USER HOME SHELL INVOCATION_ID SYSTEMD_EXEC_PID MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE".split(
    " ",
  ),
);
