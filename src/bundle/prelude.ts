/**
 * Runs before the user's program, inside the executable. Bundled on its own and put in front of the program's text.
 * Stack traces name the user's TypeScript lines: Node's own source-map support does nothing in a single executable.
 * Node's modules are asked for where they are used: what stands at the top costs every start.
 */
import type { SourceMap, SourceMapPayload } from "node:module";

// The name that it was started by, so that a variable which is set by accident ends no service. Neither the builder's pid nor
// execPath: where the builder was interrupted, and has deleted the file, the program would run.
if (process.env.ROUSE_SMOKE_RUN === process.argv0) endSmokeRun();
Error.prepareStackTrace = describe;
process.on("uncaughtExceptionMonitor", printUncaught);
nameProcess();

interface ImportMetaHere {
  readonly main: true;
  readonly filename: string;
  readonly dirname: string;
  readonly url: string;
  resolve(specifier: string): string;
}

/** What stands for import.meta, which CommonJS does not have. Beside an executable there are files, but no packages. */
export const meta: ImportMetaHere = {
  main: true,
  filename: __filename,
  dirname: __dirname,
  get url(): string {
    return process.getBuiltinModule("node:url").pathToFileURL(__filename).href;
  },
  resolve(specifier: string): string {
    if (/^\.{0,2}\/|^[a-z]+:/.test(specifier)) return new URL(specifier, meta.url).href;
    throw new Error(`import.meta.resolve finds no package inside an executable: ${specifier}`);
  },
};

// --- internal ---

let map: SourceMap | undefined;

/** `rouse build` runs what it has built this far: the image loads, Node finds the program in it, and compiles it. */
function endSmokeRun(): never {
  process.stdout.write(`rouse-smoke-run ${process.version}\n`);
  process.exit(0);
}

/**
 * Node would print a line of the bundle above the trace. Whoever has a say of his own in uncaught errors keeps it: a
 * listener of the program, and the runtime for its ActivationError.
 */
function printUncaught(error: Error): void {
  const others = process.listenerCount("uncaughtException") + process.listenerCount("uncaughtExceptionMonitor") - 1;
  if (others > 0 || process.hasUncaughtExceptionCaptureCallback() || error?.name === "ActivationError") return;
  const { inspect } = process.getBuiltinModule("node:util");
  process.getBuiltinModule("node:fs").writeSync(2, `${error instanceof Error ? "" : "Uncaught "}${inspect(error)}\n`);
  process.exit(1);
}

/** `ps`, `pgrep` and `systemctl status` would call every service "node-MainThread". process.title would hide the arguments. */
function nameProcess(): void {
  try {
    const { writeFileSync } = process.getBuiltinModule("node:fs");
    writeFileSync("/proc/self/comm", process.execPath.slice(process.execPath.lastIndexOf("/") + 1));
  } catch {
    // No Linux, or no /proc.
  }
}

function describe(error: Error, frames: NodeJS.CallSite[]): string {
  let title: string;
  try {
    title = String(error);
  } catch {
    title = "Error";
  }
  return [title, ...frames.map((frame) => `    at ${describeFrame(frame)}`)].join("\n");
}

/** V8's own words, with the place exchanged where the frame lies in the bundle. */
function describeFrame(frame: NodeJS.CallSite): string {
  const text = String(frame);
  const [file, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
  if (file === null || line === null || column === null || file.startsWith("node:")) return text;
  const place = findOriginal(line, column);
  return place === undefined ? text : text.replace(`${file}:${line}:${column}`, place);
}

function findOriginal(line: number, column: number): string | undefined {
  try {
    // Parsed at the first error only: a large program's map takes tens of milliseconds.
    map ??= readMap();
    const entry = map.findOrigin(line, column);
    return "fileName" in entry ? `${entry.fileName}:${entry.lineNumber}:${entry.columnNumber}` : undefined;
  } catch {
    return undefined; // A trace without its map is better than an error about an error.
  }
}

function readMap(): SourceMap {
  const { SourceMap } = process.getBuiltinModule("node:module");
  const { getAsset } = process.getBuiltinModule("node:sea");
  return new SourceMap(JSON.parse(getAsset("main.js.map", "utf8")) as SourceMapPayload);
}
