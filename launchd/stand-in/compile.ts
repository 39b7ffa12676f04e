import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { RouseError } from "../../src/problem.ts";
import type { Job } from "./job.ts";

/**
 * launch_activate_socket(3) for one job, as a library for macOS at `path`: stand-in.c, which Apple's compiler signs by itself.
 * @throws {RouseError} "no-compiler" or "stand-in-not-compiled"
 */
export async function compileMacLibrary(
  path: string,
  job: Job,
  { folder, machine, env }: { folder: string; machine: "x64" | "arm64"; env: NodeJS.ProcessEnv },
): Promise<void> {
  // Where there is none, Apple's cc opens a window that offers to install it, and waits for nobody.
  await run("xcode-select", ["-p"], { env }).catch(noCompiler);
  await writeFile(join(folder, "rouse-launchd-job.h"), header(job));
  const source = join(import.meta.dirname, "stand-in.c");
  const architectures = machine === "arm64" ? ["-arch", "arm64", "-arch", "x86_64"] : ["-arch", "x86_64"];
  const args = ["-dynamiclib", "-std=gnu11", "-O1", ...architectures, "-I", folder, "-o", path, source];
  await run("cc", args, { env }).catch((error: Failure) => {
    if (error.code === "ENOENT") noCompiler(error);
    throw new RouseError(
      {
        code: "stand-in-not-compiled",
        what: `the stand-in for launchd was not compiled: ${firstLine(error.stderr) || error.message}`,
        mend: "check that `cc` compiles: `xcode-select --install` installs it, `sudo xcode-select --reset` mends it after an upgrade",
      },
      { cause: error },
    );
  });
}

// --- internal ---

const run = promisify(execFile);

interface Failure extends Error {
  readonly code?: string | number;
  readonly stderr?: string;
}

function noCompiler(cause: Error): never {
  throw new RouseError(
    {
      code: "no-compiler",
      what: "on macOS the stand-in for launchd is compiled when it is needed, and there is no C compiler",
      mend: "run `xcode-select --install`",
    },
    { cause },
  );
}

/** Names as numbers, so that nothing in them means something to C. */
function header(job: Job): string {
  const names = job.map(
    ({ name }, index) => `static const char name_${index}[] = {${[...Buffer.from(name), 0].join()}};`,
  );
  const lists = job.map(({ sockets }, index) => {
    // C knows no array without elements.
    const list = sockets.map(({ descriptor, inode }) => `{${descriptor}, ${inode}ULL}`).join(", ") || "{-1, 0}";
    return `static const struct known_socket sockets_${index}[] = {${list}};`;
  });
  const entries = job.map(({ sockets }, index) => `  {name_${index}, sockets_${index}, ${sockets.length}, 0},`);
  return [...names, ...lists, "static struct entry job[] = {", ...entries, "  {0, 0, 0, 0},", "};", ""].join("\n");
}

function firstLine(text = ""): string {
  return text.trim().split("\n")[0]!;
}
