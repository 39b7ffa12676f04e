// Which npm registry to fetch from, and how to be let in.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse as parseIni } from "ini";
import { FetchError } from "./fetch-error.js";

/** The registry as npm itself would choose it here, and its token where an .npmrc has one. */
export async function readRegistry() {
  const url = process.env.npm_config_registry || (await askNpm());
  const withSlash = url.endsWith("/") ? url : `${url}/`;
  return { url: withSlash, token: readToken(withSlash) };
}

// --- internal ---

async function askNpm() {
  try {
    const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"]);
    return stdout.trim();
  } catch (error) {
    throw new FetchError(
      {
        code: "no-registry",
        what: "npm did not say which registry to fetch Node from",
        mend: "put npm on PATH, or set npm_config_registry to the registry's URL",
      },
      { cause: error },
    );
  }
}

function readToken(url) {
  const key = `${url.replace(/^https?:/, "")}:_authToken`;
  const files = [".npmrc", process.env.npm_config_userconfig || join(homedir(), ".npmrc")];
  for (const file of files.filter(existsSync)) {
    const token = parseIni(readFileSync(file, "utf8"))[key];
    if (token) return token.replace(/\$\{(\w+)\}/g, (_, name) => process.env[name] ?? "");
  }
  return undefined;
}
