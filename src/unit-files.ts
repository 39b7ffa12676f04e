import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Unit, unitText } from "../systemd/unit.ts";
import { madeByRouse } from "./made-by-rouse.ts";
import { removeAbandoned, writeWhole } from "./output.ts";

/**
 * Writes each unit into a folder and takes away those of an earlier build that are no more: whoever copies the folder to
 * a machine must not install a socket that the definition has dropped.
 * @returns their paths
 */
export async function writeUnits(units: readonly Unit[], folder: string): Promise<string[]> {
  removeAbandoned(folder);
  for (const unit of units) {
    await writeWhole(join(folder, unit.name), (temporary) => writeFileSync(temporary, unitText(unit), { flag: "wx" }));
  }
  const names = new Set(units.map(({ name }) => name));
  for (const path of existsSync(folder) ? oldUnits(folder, names) : []) rmSync(path);
  return units.map(({ name }) => join(folder, name));
}

// --- internal ---

function oldUnits(folder: string, current: ReadonlySet<string>): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(service|socket)$/.test(entry.name) && !current.has(entry.name))
    .map(({ name }) => join(folder, name))
    .filter((path) => readFileSync(path, "utf8").startsWith(madeByRouse));
}
