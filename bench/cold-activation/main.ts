/**
 * How long a client waits for the first byte of a server that its connection starts, ours beside its peers, in one run.
 * See ../README.md.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { whyNotHere } from "../../test/system/tools.ts";
import { type Figures, figuresMarkdown, figuresText } from "../common/figures.ts";
import { machineFacts } from "../common/machine-facts.ts";
import { rounds as countRounds } from "../common/options.ts";
import { writeReadme } from "../common/readme.ts";
import { tell, tellLoad } from "../common/tell.ts";
import { activateOnce, runOnce } from "./activation.ts";
import { compare } from "./comparison.ts";
import { forgetCached } from "./page-cache.ts";
import type { Sample } from "./sample.ts";
import { buildServers, definition, type Server, sources } from "./servers.ts";
import { type Installation, measureThroughSystemd } from "./through-systemd.ts";

const options = readOptions();
const base = "node server.cjs";
const folder = mkdtempSync(join(tmpdir(), "rouse-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

tell("building the servers");
const servers: Server[] = [];
for (const server of await buildServers(folder)) {
  if ("reason" in server) tell(`no row for ${server.name}: ${server.reason}`);
  else servers.push(server);
}
tellLoad();

const comparisons = [await compareDirectly(), await compareThroughSystemd()].filter((each) => each !== undefined);
const facts = await machineFacts();
process.stdout.write(`\n${[...comparisons.map(figuresText), `${facts}\n`].join("\n")}`);
if (options.markdown) writeReadme("cold activation", [...comparisons.map(figuresMarkdown), `${facts}\n`].join("\n"));

// --- internal ---

/** This process is the service manager. */
async function compareDirectly(): Promise<Figures> {
  const empty = [join(folder, "node"), join(sources, "empty.cjs")];
  const measures: { name: string; measure: () => Promise<Sample> }[] = [
    ...servers.map(({ name, command }) => ({ name, measure: () => activateOnce(command) })),
    { name: "node empty.cjs, start to exit", measure: () => runOnce(empty) },
  ];
  tell(`${options.rounds} rounds of ${measures.length} programs, started by this process`);
  for (const { command } of servers) await forgetCached(command[0]!);
  const rows = measures.map(({ name }) => ({ name, samples: [] as Sample[] }));
  // One after the other in each round, so that noise hits all. The first round fills the caches, and does not count.
  for (let round = -1; round < options.rounds; round++) {
    for (const [index, { measure }] of measures.entries()) {
      const sample = await measure();
      if (round >= 0) rows[index]!.samples.push(sample);
    }
  }
  return compare(`Started with the socket as descriptor 3, ${options.rounds} rounds`, rows, base);
}

async function compareThroughSystemd(): Promise<Figures | undefined> {
  const obstacle = options.systemdRounds === 0 ? "not wanted" : whyNotHere();
  if (obstacle !== undefined) {
    tell(`no comparison through systemd: ${obstacle}`);
    return undefined;
  }
  const installation = (id: Server["id"], name: string, facts: { sandboxed: boolean; notifies: boolean }) =>
    servers
      .filter((server) => server.id === id)
      .map(({ command }): Installation => ({ name, files: command, ...facts }));
  const installations = [
    ...installation("rouse", "rouse build, sandboxed", { sandboxed: true, notifies: true }),
    ...installation("rouse", "rouse build, no sandbox", { sandboxed: false, notifies: true }),
    ...installation("cjs", "node server.cjs", { sandboxed: false, notifies: false }),
    ...installation("go", "Go, go-systemd", { sandboxed: false, notifies: false }),
  ];
  tell(
    `${options.systemdRounds} rounds of ${installations.length} services, started by systemd in a machine of its own`,
  );
  const { version, samples } = await measureThroughSystemd(definition, installations, options.systemdRounds);
  const rows = installations.map(({ name }, index) => ({ name, samples: samples[index]! }));
  return compare(`Started by ${version} in a container, ${options.systemdRounds} rounds`, rows, base);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "40" },
      "systemd-rounds": { type: "string", default: "15" },
      markdown: { type: "boolean", default: false },
    },
  });
  return {
    rounds: countRounds(values.rounds, 1),
    systemdRounds: countRounds(values["systemd-rounds"], 0),
    markdown: values.markdown,
  };
}
