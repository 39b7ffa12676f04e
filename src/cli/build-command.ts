import { relative, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Artifact } from "../build.ts";
import type { PackageFormat, Target } from "../service.ts";
import { readSourceDate } from "../source-date.ts";
import { table } from "./print.ts";
import { createProgress } from "./progress.ts";

interface Flags {
  target?: Target[];
  package?: PackageFormat[];
  out?: string;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** `rouse build`: makes everything that the definition asks for, and says what was made. */
export function buildCommand(): Command {
  return new Command("build")
    .description("make the executable, the systemd units and the packages of a service")
    .argument("[dir]", "the folder that holds the definition", notEmpty, ".")
    .addOption(
      new Option("--target <target>", "only this target; may be repeated").argParser(collect(["linux-x64"], "target")),
    )
    .addOption(
      new Option("--package <format>", "only this package format; may be repeated").argParser(
        collect(["deb"], "package format"),
      ),
    )
    .option("--out <dir>", "where to put what is made (default: out, beside the definition)", notEmpty)
    .option("--json", "print one JSON document about what was made")
    .option("--quiet", "print no progress")
    .option("--verbose", "print how long each stage took")
    .exitOverride()
    .addHelpText("after", "\nSOURCE_DATE_EPOCH sets every time stamp: same input, same bytes.")
    .action(build);
}

// --- internal ---

async function build(dir: string, flags: Flags): Promise<void> {
  const { buildService } = await import("../build.ts");
  const progress = createProgress({ quiet: flags.quiet ?? false, verbose: flags.verbose ?? false });
  try {
    const { service, artifacts } = await buildService(resolve(dir), {
      out: flags.out === undefined ? undefined : resolve(flags.out),
      targets: flags.target,
      packages: flags.package,
      host: `${process.platform}-${process.arch}`,
      time: readSourceDate(process.env),
      progress,
    });
    progress.done(`${service.name} ${service.version}`);
    process.stdout.write(flags.json ? `${JSON.stringify({ artifacts }, null, 2)}\n` : artifactTable(artifacts));
  } finally {
    progress.stop();
  }
}

function artifactTable(artifacts: readonly Artifact[]): string {
  const rows = artifacts.map(({ kind, target, path, bytes, sha256 }) => [
    kind,
    target ?? "linux",
    relative(process.cwd(), path),
    size(bytes),
    sha256.slice(0, 12),
  ]);
  return table(["kind", "target", "path", "size", "sha256"], rows, { right: [3] });
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** An empty path is a variable that was not set, and would mean the current folder. */
function notEmpty(path: string): string {
  if (path === "") throw new InvalidArgumentError("It is empty.");
  return path;
}

/** Repeated or listed values, each one that this release makes. */
function collect<T extends string>(known: readonly T[], what: string) {
  return (value: string, earlier: T[] = []): T[] => {
    if (!known.includes(value as T)) {
      throw new InvalidArgumentError(`This release makes no ${what} "${value}"; it makes ${known.join(", ")}.`);
    }
    return [...earlier, value as T];
  };
}
