import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleService } from "../../bundle.ts";
import { programFlags } from "../../executable/blob.ts";
import { writeWhole } from "../../output.ts";
import { type Problem, RouseError } from "../../problem.ts";
import type { Service } from "../../service.ts";
import { createProgramBuilder, type ProgramBuilder } from "../program/program.ts";

/**
 * The program in the form that an executable has, for Node to run: what works in development alone shall be found under the sandbox.
 * It lies in a folder of its own, which is all that is bound into the sandbox beside Node.
 * @param folder the run's; must exist
 */
export function createSandboxProgram(service: Service, folder: string): ProgramBuilder {
  if (service.exec !== undefined) throw new RouseError(notOfOthers);
  const place = programFolder(folder);
  mkdirSync(place);
  // Of the development form: what the sources are, and what is wrong with them.
  const scratch = join(folder, "sources");
  mkdirSync(scratch);
  const sources = createProgramBuilder(service, scratch);
  return {
    async build() {
      await sources.build();
      const { code, map, usesRuntime, warnings } = await bundleService(service);
      const paths = { start: join(place, "start.cjs"), code: join(place, "main.js"), map: join(place, "main.js.map") };
      if (!existsSync(paths.start)) await writeForAll(paths.start, startText);
      await writeForAll(paths.map, map);
      await writeForAll(paths.code, code);
      chmodSync(place, 0o755);
      const command = [process.execPath, ...programFlags, "--require", paths.start, paths.code] as const;
      return { command, usesRuntime, warnings };
    },
    files: () => sources.files(),
    [Symbol.asyncDispose]: async () => await sources[Symbol.asyncDispose](),
  };
}

/** Where the program of a run lies. */
export function programFolder(folder: string): string {
  return join(folder, "program");
}

// --- internal ---

/** The prelude of an executable reads its source map from there. */
const startText = `const { readFileSync } = require("node:fs");
process.getBuiltinModule("node:sea").getAsset = (name, encoding) => readFileSync(__dirname + "/" + name, encoding);
`;

/** The folder above is this user's alone; inside of the sandbox it is another one who reads. */
async function writeForAll(path: string, text: string): Promise<void> {
  await writeWhole(path, (temporary) => {
    writeFileSync(temporary, text, { flag: "wx" });
    chmodSync(temporary, 0o644);
  });
}

const notOfOthers: Problem = {
  code: "not-yet",
  what: '--sandbox does not run a program of another language ("exec") yet: the units of such a service are still to come',
  where: { key: "exec" },
  mend: "run it without --sandbox",
};
