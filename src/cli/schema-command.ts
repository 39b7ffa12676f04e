import { Command } from "commander";

/** `rouse schema`: the definition's JSON Schema, for editors and for other tools. */
export function schemaCommand(): Command {
  return new Command("schema")
    .description("print the JSON Schema of a definition")
    .exitOverride()
    .addHelpText("after", '\nrouse.config.json can name it: "$schema": "./node_modules/rouse/dist/schema.json"')
    .action(async () => {
      const { definitionJsonSchema } = await import("../definition.ts");
      process.stdout.write(`${JSON.stringify(definitionJsonSchema(), null, 2)}\n`);
    });
}
