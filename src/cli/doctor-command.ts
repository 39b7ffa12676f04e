import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { Command } from "commander";
import { cacheFolder } from "#fetch-node";
import type { Check } from "../doctor.ts";
import { exitCode } from "./exit-code.ts";
import { table } from "./print.ts";

/** `rouse doctor`: what this machine has, what a missing part would allow, and how to get it. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("tell what this machine has, what a missing part would allow, and how to get it")
    .option("--json", "print one JSON document")
    .exitOverride()
    .addHelpText("after", "\nThe exit code is 1 only where Rouse itself cannot work here.")
    .action(doctor);
}

// --- internal ---

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const { describeHost, examine } = await import("../doctor.ts");
  const host = describeHost({
    platform: process.platform,
    uid: process.getuid?.() ?? 0,
    env: process.env,
    folders: { cache: cacheFolder(), output: resolve("."), temporary: tmpdir() },
  });
  const checks = await examine(host);
  process.stdout.write(json ? `${JSON.stringify({ checks }, null, 2)}\n` : tables(checks));
  if (checks.some(({ found, needed }) => needed && !found)) process.exitCode = exitCode.wrong;
}

function tables(checks: readonly Check[]): string {
  const here = checks.filter(({ found }) => found);
  const missing = checks.filter(({ found }) => !found);
  const found = table(
    ["here", "version", "details"],
    here.map(({ name, version, path, detail }) => [name, version ?? "", [path, detail].filter(Boolean).join(": ")]),
  );
  if (missing.length === 0) return found;
  const rows = missing.flatMap(({ name, path, detail, for: purpose, get = "" }) =>
    [
      ["for", purpose],
      ["why", [path, detail].filter(Boolean).join(": ")],
      ["get", get],
    ]
      .filter(([, text]) => text !== "")
      .map((row, index) => [index === 0 ? name : "", ...row]),
  );
  return `${found}\n${table(["not here", "", ""], rows)}`;
}
