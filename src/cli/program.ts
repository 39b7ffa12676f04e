import { readFileSync } from "node:fs";
import { Command } from "commander";
import { buildCommand } from "./build-command.ts";
import { doctorCommand } from "./doctor-command.ts";
import { runCommand } from "./run-command.ts";
import { schemaCommand } from "./schema-command.ts";

/** The whole command line. Parsing throws a CommanderError for wrong usage, after it has printed what is wrong. */
export function createProgram(): Command {
  return new Command("rouse")
    .description("Turns a TypeScript server into an operating-system service.")
    .version(`rouse ${ownVersion()} (Node ${process.version.slice(1)})`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .showHelpAfterError("(rouse --help tells what there is)")
    .addCommand(buildCommand())
    .addCommand(doctorCommand())
    .addCommand(runCommand())
    .addCommand(schemaCommand());
}

// --- internal ---

/** package.json lies one level higher above the compiled copy than above the source. */
function ownVersion(): string {
  const up = import.meta.url.endsWith(".ts") ? "../../" : "../../../";
  return (JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), "utf8")) as { version: string })
    .version;
}
