import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Place, Problem } from "../../problem.ts";
import type { Directories, Service } from "../../service.ts";
import { prepareCredentials } from "./credentials.ts";
import { readEnvironmentFile } from "./environment-file.ts";
import { isOfAManager } from "./manager-variables.ts";

export interface EnvironmentOptions {
  /** The run's own folder, absolute; what is made lies in it. */
  readonly folder: string;
  /** The user's. */
  readonly environment: NodeJS.ProcessEnv;
  /** As the user wrote it. */
  readonly environmentFile?: string | undefined;
  /** "NAME=FILE". */
  readonly credentials: readonly string[];
}

export interface PreparedEnvironment {
  /** Without the variables that pass sockets and the manager's socket. */
  readonly env: NodeJS.ProcessEnv;
  readonly warnings: Problem[];
}

/**
 * What a service finds beside its sockets: variables, directories of its own and credentials, as systemd.exec(5) has them. To be
 * called once for a run, before its first process: credentials may come from a pipe.
 *
 * The definition's variables give way to the file's, and those to the user's own shell. What a manager has told `rouse run` itself is
 * not passed on. NODE_ENV is the user's; the unit's is "production".
 * @param service undefined: there is no definition
 * @throws {RouseError} for a file that cannot be read, and credentials that are missing or unknown
 */
export function prepareEnvironment(service: Service | undefined, options: EnvironmentOptions): PreparedEnvironment {
  const { folder, environmentFile } = options;
  const file = environmentFile === undefined ? undefined : readEnvironmentFile(environmentFile);
  const credentials = join(folder, "credentials");
  const hasCredentials = prepareCredentials(credentials, service?.credentials, options.credentials);
  const env = { ...service?.environment, ...file?.variables, ...options.environment };
  for (const name of Object.keys(env).filter(isOfAManager)) Reflect.deleteProperty(env, name);
  return {
    env: {
      ...env,
      ...(service ? makeDirectories(folder, service.directories) : {}),
      ...(hasCredentials ? { CREDENTIALS_DIRECTORY: credentials } : {}),
    },
    warnings: [
      ...Object.keys(service?.environment ?? {}).flatMap((name) => hides(name, { key: `environment.${name}` })),
      ...(file?.warnings ?? []),
      ...Object.keys(file?.variables ?? {}).flatMap((name) => hides(name, { file: resolve(environmentFile!) })),
    ],
  };
}

// --- internal ---

/** The modes are those of the units (systemd/service-unit.ts). */
function makeDirectories(folder: string, wanted: Directories): Record<string, string> {
  const all = Object.entries({ state: 0o700, cache: 0o700, logs: 0o700, configuration: 0o755 });
  const made = all.filter(([name]) => wanted[name as keyof Directories]);
  return Object.fromEntries(
    made.map(([name, mode]) => {
      const path = join(folder, name);
      mkdirSync(path);
      chmodSync(path, mode); // Whatever the umask is.
      return [`${name.toUpperCase()}_DIRECTORY`, path];
    }),
  );
}

/** systemd sets the service's own variables last, over those by which it passes sockets. */
function hides(name: string, where: Place): Problem[] {
  if (!isOfAManager(name)) return [];
  const what = `"${name}" is for the service manager to set; installed, this one would hide it from the program`;
  return [{ code: "manager-variable", what: `${what}, and here it is ignored`, where, mend: "leave it out" }];
}
