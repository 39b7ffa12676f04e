/** What the runtime costs, ours beside its peers, in one run. See ../README.md. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Figures, figuresMarkdown, figuresText } from "../common/figures.ts";
import { machineFacts } from "../common/machine-facts.ts";
import { rounds } from "../common/options.ts";
import { writeReadme } from "../common/readme.ts";
import { tell, tellLoad } from "../common/tell.ts";
import { measurePerRequest } from "./per-request.ts";
import { buildPrograms } from "./programs.ts";
import { measureServing } from "./serving.ts";
import { measureSize } from "./size.ts";
import { measureStartCost } from "./start-cost.ts";
import { measureWorkers } from "./workers.ts";

const options = readOptions();
const folder = mkdtempSync(join(tmpdir(), "rouse-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

tell("building the programs");
const programs = await buildPrograms(folder);
tellLoad();
const tables: Figures[] = [await measureSize(folder)];
if (options.startRounds > 0) tables.push(await measureStartCost(programs, options.startRounds));
if (options.requestRounds > 0) tables.push(await measurePerRequest(programs, options.requestRounds));
if (options.servingRounds > 0) tables.push(...(await measureServing(programs, options.servingRounds)));
if (options.workerRounds > 0) tables.push(...(await measureWorkers(programs, options.workerRounds)));
const facts = await machineFacts();
process.stdout.write(`\n${[...tables.map(figuresText), `${facts}\n`].join("\n")}`);
if (options.markdown) writeReadme("the runtime", [...tables.map(figuresMarkdown), `${facts}\n`].join("\n"));

// --- internal ---

function readOptions() {
  const { values } = parseArgs({
    options: {
      "start-rounds": { type: "string", default: "40" },
      "request-rounds": { type: "string", default: "150" },
      "serving-rounds": { type: "string", default: "40" },
      "worker-rounds": { type: "string", default: "10" },
      markdown: { type: "boolean", default: false },
    },
  });
  return {
    startRounds: rounds(values["start-rounds"], 0),
    requestRounds: rounds(values["request-rounds"], 0),
    servingRounds: rounds(values["serving-rounds"], 0),
    workerRounds: rounds(values["worker-rounds"], 0),
    markdown: values.markdown,
  };
}
