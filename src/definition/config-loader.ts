/**
 * A process of its own for one rouse.config.ts: what that prints, throws too late, keeps open or ends is then no matter of
 * Rouse's own process. Started by config-module.ts, which kills it after its answer.
 */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { findNotJson, type NotJson } from "./not-json.ts";

/** The first message to this process. */
export interface ConfigRequest {
  /** Absolute path of the rouse.config.ts. */
  readonly file: string;
  /** What it was bundled to: an ES module with its source map inside. */
  readonly code: string;
}

/** The message back. */
export type ConfigAnswer =
  | { readonly kind: "exported"; readonly value?: unknown }
  | ({ readonly kind: "not-json" } & NotJson)
  | { readonly kind: "thrown"; readonly text: string; readonly stack: string }
  /** Nothing is left to happen, and the module is not done. */
  | { readonly kind: "waits" };

process.once("message", (request: ConfigRequest) => {
  process.channel?.unref(); // So that a definition that waits for nothing is seen to.
  run(request).then(answer, answerThrown);
});
process.once("uncaughtException", answerThrown);
process.once("beforeExit", () => answer({ kind: "waits" }));

process.once("disconnect", () => process.exit()); // Rouse is gone.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {}); // Ctrl-C is for Rouse, which then kills this process.

// --- internal ---

async function run({ file, code }: ConfigRequest): Promise<ConfigAnswer> {
  process.setSourceMapsEnabled(true);
  const url = pathToFileURL(file).href;
  // The bundle stands in for the file itself, so that imports and import.meta are as they are written there.
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === url ? { url, format: "module", shortCircuit: true } : next(specifier, context),
    load: (loaded, context, next) =>
      loaded === url ? { source: code, format: "module", shortCircuit: true } : next(loaded, context),
  });
  const { default: value } = (await import(url)) as { default?: unknown };
  const fault = value === undefined ? undefined : findNotJson(value);
  return fault ? { kind: "not-json", ...fault } : { kind: "exported", value };
}

function answer(message: ConfigAnswer): void {
  process.channel?.ref(); // To be killed, and not to end before the message is through.
  process.send?.(message, undefined, {}, () => {}); // Whoever asked may have been killed, and nobody else wants to know.
}

function answerThrown(error: unknown): void {
  const isError = error instanceof Error;
  answer({
    kind: "thrown",
    text: isError ? `${error.name}: ${error.message}` : String(error),
    stack: isError ? (error.stack ?? "") : "",
  });
}
