import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../common/build.ts";

/** One of servers/*.cjs. */
export type ServerName = "plain" | "draining";

/** A folder as somebody who develops a server has it: the server, a module of it that is edited, and the runtime in node_modules. */
export interface ServiceFolder {
  readonly path: string;
  /** Of the server, in the folder. */
  readonly file: string;
  /** Edits the module: from then on new processes answer with this version. */
  write(version: number): void;
}

/** @param path of a folder that is not there yet */
export async function makeServiceFolder(path: string, server: ServerName): Promise<ServiceFolder> {
  const file = `${server}.cjs`;
  const runtime = join(path, "node_modules/rouse");
  mkdirSync(runtime, { recursive: true });
  copyFileSync(join(import.meta.dirname, "servers", file), join(path, file));
  await bundle(join(import.meta.dirname, "../../src/index.ts"), join(runtime, "index.js"));
  const write = (version: number): void => writeFileSync(join(path, "version.cjs"), `exports.version = ${version};\n`);
  write(0);
  writeFileSync(join(path, "package.json"), JSON.stringify({ name: "bench", version: "1.0.0" }));
  const definition = { entry: file, sockets: { http: 8080 } };
  writeFileSync(join(path, "rouse.config.json"), JSON.stringify(definition));
  return { path, file, write };
}
