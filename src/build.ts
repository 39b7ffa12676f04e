import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FetchOptions } from "#fetch-node";
import type { Packager } from "../packaging/packager.ts";
import { packagers } from "../packaging/packagers.ts";
import { emitUnits } from "../systemd/manifests.ts";
import { entryOf } from "./bundle/options.ts";
import { bundleService } from "./bundle.ts";
import { needsRuntime, tellsManager } from "./definition/needs-runtime.ts";
import { readService } from "./definition.ts";
import { type Executable, makeExecutable } from "./executable.ts";
import { installedFiles, installedProgram } from "./installed.ts";
import { measure, removeAbandoned, writeWhole } from "./output.ts";
import { RouseError } from "./problem.ts";
import type { PackageFormat, Service, Target } from "./service.ts";
import { writeUnits } from "./unit-files.ts";

export interface BuildOptions {
  /** Absolute. Default: "out" beside the definition. */
  readonly out?: string | undefined;
  /** Instead of the definition's. */
  readonly targets?: readonly Target[] | undefined;
  /** Instead of the definition's. */
  readonly packages?: readonly PackageFormat[] | undefined;
  /** The machine that builds, for example "linux-x64". */
  readonly host: string;
  /** Seconds since 1970, for every time stamp in what is made (SOURCE_DATE_EPOCH). */
  readonly time: number;
  readonly progress: Progress;
}

/** What is told while a build runs. */
export interface Progress {
  /** A stage begins: what is done to what. */
  stage(name: string, subject: string): void;
  warn(text: string): void;
  fetching(target: Target): Required<Pick<FetchOptions, "onProgress">>;
}

export interface BuildResult {
  readonly service: Service;
  readonly artifacts: readonly Artifact[];
}

export interface Artifact {
  readonly kind: "executable" | "unit" | "job" | PackageFormat;
  readonly target: Target | null;
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * The main path: a definition becomes executables, units and packages.
 * @param folder absolute path of the folder that holds the definition
 * @throws {RouseError} before anything is written under a final name that is not whole
 */
export async function buildService(folder: string, options: BuildOptions): Promise<BuildResult> {
  const service = narrow(await readService(folder, (whole) => checkPackages(narrow(whole, options))), options);
  const formats = packagersOf(service);
  const out = options.out ?? join(folder, "out");
  removeAbandoned(out);

  options.progress.stage("bundle", entryOf(service));
  const bundle = await bundleService(service);
  for (const warning of bundle.warnings) options.progress.warn(warning);

  const lacking = needsRuntime(service, bundle.usesRuntime);
  if (lacking.length > 0) throw new RouseError(lacking);
  const notifies = tellsManager(service, bundle.usesRuntime);
  const units = emitUnits(service, { path: installedProgram(service), notifies });
  options.progress.stage("units", units.map(({ name }) => name).join(", "));
  const artifacts = await Promise.all(
    (await writeUnits(units, join(out, "systemd"))).map((path) => artifact("unit", null, path)),
  );

  for (const target of service.targets) {
    options.progress.stage("executable", target);
    const path = join(out, target, service.name);
    removeAbandoned(dirname(path));
    const executable = await makeExecutable(bundle, target, path, {
      host: options.host,
      ...options.progress.fetching(target),
    });
    artifacts.push(await artifact("executable", target, path));
    for (const packager of formats.filter(({ targets }) => targets.includes(target))) {
      const archive = join(out, packager.fileName(service, target));
      options.progress.stage(packager.format, packager.fileName(service, target));
      await writeWhole(archive, (temporary) =>
        packager.write(packageRequest(service, executable, units, options.time), temporary),
      );
      artifacts.push(await artifact(packager.format, target, archive));
    }
  }
  return { service, artifacts };
}

// --- internal ---

const packagersOf = ({ packages }: Service): Packager[] => packages.map((format) => packagers[format]!);

/** What a package format refuses, before anything is made. */
function checkPackages(service: Service): void {
  for (const packager of packagersOf(service)) packager.check(service);
}

function narrow(service: Service, { targets, packages }: BuildOptions): Service {
  return {
    ...service,
    targets: targets ? [...new Set(targets)] : service.targets,
    packages: packages ? [...new Set(packages)] : service.packages,
  };
}

function packageRequest(service: Service, executable: Executable, units: ReturnType<typeof emitUnits>, time: number) {
  return {
    service,
    target: executable.target,
    time,
    files: installedFiles(service, executable.path, units),
    units: units.map(({ name, kind, entries }) => ({
      name,
      kind,
      installable: entries.some(({ section }) => section === "Install"),
      start: kind === "socket" || service.start === "boot",
    })),
    libraries: executable.libraries,
    licenses: [...ownLicense(service), { title: `Node.js ${executable.nodeVersion}`, text: executable.nodeLicense }],
  };
}

/** The licence file beside the definition, by the names that npm knows. */
function ownLicense({ name, root }: Service): { title: string; text: string }[] {
  const names = "{LICENSE,LICENCE}{,.md,.txt}";
  const file = globSync(names, { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort()[0];
  return file === undefined ? [] : [{ title: name, text: readFileSync(join(root, file), "utf8") }];
}

async function artifact(kind: Artifact["kind"], target: Target | null, path: string): Promise<Artifact> {
  return { kind, target, path, ...(await measure(path)) };
}
