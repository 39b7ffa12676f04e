import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Place, RouseError } from "../problem.ts";
import { importConfig } from "./config-module.ts";
import { type JsonFile, readJsonFile } from "./json-file.ts";
import { type Manifest, readManifest } from "./manifest.ts";

/** A definition as it was found, not yet validated. */
export interface Source {
  readonly file: string;
  readonly value: unknown;
  readonly manifest: Manifest;
  /** Absolute paths of every file that it was read from. */
  readonly readFrom: readonly string[];
  place(path: readonly string[]): Place;
}

/**
 * Finds the one definition of a folder and reads it.
 * @throws {RouseError} when there is none, more than one, or it cannot be read
 */
export async function findSource(folder: string): Promise<Source> {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new RouseError({
      code: "no-folder",
      what: `there is no folder ${folder}`,
      mend: "name the folder that holds the service's definition",
    });
  }
  const packageFile = join(folder, "package.json");
  const packageJson = existsSync(packageFile) ? readJsonFile(packageFile) : undefined;
  const manifest = readManifest(packageJson);
  const present = ["rouse.config.ts", "rouse.config.json"].map((name) => join(folder, name)).filter(existsSync);
  const inPackage = packageJson !== undefined && hasKey(packageJson.value, "rouse");
  const found = [...present, ...(inPackage ? [packageFile] : [])];
  if (found.length === 0) throw new RouseError(nothingFound(folder));
  if (found.length > 1) throw new RouseError(tooManyFound(found));
  const shared = packageJson === undefined ? [] : [packageFile];
  if (inPackage) return { ...definitionInside(packageJson), manifest, readFrom: shared };
  const file = found[0]!;
  if (file.endsWith(".json")) {
    return { ...withoutDuplicates(readJsonFile(file), []), manifest, readFrom: [file, ...shared] };
  }
  const { value, files } = await importConfig(file);
  return { file, value, manifest, readFrom: [...new Set([file, ...files, ...shared])], place: () => ({ file }) };
}

// --- internal ---

function definitionInside(packageJson: JsonFile): Omit<Source, "manifest" | "readFrom"> {
  const { rouse } = withoutDuplicates(packageJson, ["rouse"]).value as { rouse: unknown };
  return { file: packageJson.file, value: rouse, place: (path) => packageJson.place(["rouse", ...path]) };
}

/** @throws {RouseError} for keys that stand twice: one of them would be passed over without a word */
function withoutDuplicates(json: JsonFile, path: readonly string[]): JsonFile {
  const problems = json.duplicates(path);
  if (problems.length > 0) throw new RouseError(problems);
  return json;
}

const hasKey = (value: unknown, key: string): boolean => typeof value === "object" && value !== null && key in value;

function nothingFound(folder: string) {
  return {
    code: "no-definition",
    what: `${folder} holds no service definition`,
    mend: 'write rouse.config.ts (`export default defineService({ entry: "src/server.ts", sockets: { http: 8080 } })`), rouse.config.json, or a "rouse" key in package.json',
  };
}

function tooManyFound(found: readonly string[]) {
  return {
    code: "two-definitions",
    what: `there is more than one definition: ${found.join(" and ")}`,
    mend: "keep one of them",
  };
}
