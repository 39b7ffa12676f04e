/** What `rouse run` costs and what a restart under it costs, beside its peers, in one run. See ../README.md. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Figures, figuresMarkdown, figuresText } from "../common/figures.ts";
import { machineFacts } from "../common/machine-facts.ts";
import { rounds } from "../common/options.ts";
import { writeReadme } from "../common/readme.ts";
import { tell, tellLoad } from "../common/tell.ts";
import { measureAddedLatency } from "./added-latency.ts";
import { packRouse } from "./packed-rouse.ts";
import { measureRestartGap } from "./restart-gap.ts";
import { measureStartUp } from "./start-up.ts";

const options = readOptions();
const folder = mkdtempSync(join(tmpdir(), "rouse-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

tell("packing rouse");
const rouse = packRouse(join(folder, "rouse"));
tellLoad();
const tables: Figures[] = [];
if (options.servingRounds > 0) {
  tell("requests with and without rouse run");
  tables.push(...(await measureAddedLatency(rouse, folder, options.servingRounds)));
}
if (options.restarts > 0) {
  tell("restarts under load");
  for (const server of ["draining", "plain"] as const) {
    tables.push(await measureRestartGap(rouse, folder, server, options.restarts));
  }
}
if (options.startRounds > 0) {
  tell("starts");
  tables.push(await measureStartUp(rouse, folder, options.startRounds));
}
const facts = await machineFacts();
process.stdout.write(`\n${[...tables.map(figuresText), `${facts}\n`].join("\n")}`);
if (options.markdown) writeReadme("rouse run", [...tables.map(figuresMarkdown), `${facts}\n`].join("\n"));

// --- internal ---

function readOptions() {
  const { values } = parseArgs({
    options: {
      "serving-rounds": { type: "string", default: "40" },
      restarts: { type: "string", default: "25" },
      "start-rounds": { type: "string", default: "15" },
      markdown: { type: "boolean", default: false },
    },
  });
  return {
    servingRounds: rounds(values["serving-rounds"], 0),
    restarts: rounds(values.restarts, 0),
    startRounds: rounds(values["start-rounds"], 0),
    markdown: values.markdown,
  };
}
