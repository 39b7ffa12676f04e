import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { type Problem, RouseError } from "../../src/problem.ts";
import type { Service, Target } from "../../src/service.ts";
import { writeNew } from "../output.ts";
import type { PackageFile, PackageRequest, Packager } from "../packager.ts";
import { plantTree, type TreeEntry, textFile } from "../tree.ts";
import { zstd } from "../zstd.ts";
import { writeAr } from "./ar.ts";
import { changelogFile } from "./changelog.ts";
import { architectures, controlFile } from "./control.ts";
import { copyrightFile } from "./copyright.ts";
import { gzip } from "./gzip.ts";
import { Md5Sums } from "./md5sums.ts";
import { lintianOverrides } from "./overrides.ts";
import { maintainerScripts } from "./scripts.ts";
import { writeTar } from "./tar.ts";
import { debianVersion } from "./version.ts";

/** Writes .deb packages, deb(5), without any of dpkg's tools. */
export const deb: Packager = {
  format: "deb",
  targets: ["linux-x64", "linux-arm64"],
  fileName: ({ packageName, version }: Service, target: Target): string =>
    `${packageName}_${debianVersion(version)}_${architectures[target]}.deb`,
  check,
  write,
};

async function write(request: PackageRequest, path: string): Promise<void> {
  check(request.service);
  const tree = await plantTree([...request.files, ...documents(request)]);
  const sums = new Md5Sums(tree);
  const data = `${path}.data.tar.zst`;
  try {
    await writeNew(data, zstd(writeTar(sums.entries, request.time)));
    const control = gzip(await collect(writeTar(await controlFiles(request, tree, sums), request.time)));
    await writeNew(
      path,
      writeAr(
        [
          { name: "debian-binary", size: 4, content: [Buffer.from("2.0\n")] },
          { name: "control.tar.gz", size: control.length, content: [control] },
          { name: "data.tar.zst", size: (await stat(data)).size, content: createReadStream(data) },
        ],
        request.time,
      ),
    );
  } finally {
    await rm(data, { force: true });
  }
}

// --- internal ---

/** Folders of systemd's own where those of services lie: /var/lib/private, /var/log/journal. */
const systemFolders: readonly string[] = ["private", "journal", ".", ".."];

function check({ name, packageName, version, directories }: Service): void {
  const problems: Problem[] = [];
  if (!/^[a-z0-9][a-z0-9+.-]+$/.test(packageName)) {
    problems.push({
      code: "deb-package-name",
      what: `dpkg takes no package called "${packageName}"`,
      where: { key: "package.name" },
      mend: "use at least two lower-case letters, digits, +, - and ., beginning with a letter or digit",
    });
  }
  if (debianVersion(version) === undefined) {
    problems.push({
      code: "deb-version",
      what: `the version "${version}" has no Debian form`,
      where: { key: "version" },
      mend: "begin it with a digit and use letters, digits, ., + and - only, for example 1.2.3-beta.1",
    });
  }
  if (Object.values(directories).includes(true) && systemFolders.includes(name)) {
    problems.push({
      code: "directory-name",
      what: `a service called "${name}" cannot have directories: those of that name are the system's`,
      where: { key: "name" },
      mend: "give the service another name, or no directories",
    });
  }
  if (problems.length > 0) throw new RouseError(problems);
}

/** What Debian wants every package to have. */
function documents(request: PackageRequest): PackageFile[] {
  const { packageName } = request.service;
  const text = (path: string, content: string | Uint8Array): PackageFile => ({
    path: `/usr/share/${path}`,
    mode: 0o644,
    content: { kind: "text", text: content },
    conffile: false,
  });
  return [
    text(`doc/${packageName}/copyright`, copyrightFile(request)),
    text(`doc/${packageName}/changelog.Debian.gz`, gzip(changelogFile(request))),
    text(`lintian/overrides/${packageName}`, lintianOverrides(request)),
  ];
}

async function controlFiles(
  request: PackageRequest,
  tree: readonly TreeEntry[],
  sums: Md5Sums,
): Promise<readonly TreeEntry[]> {
  const conffiles = tree.filter((entry) => entry.kind === "file" && entry.conffile).map(({ path }) => `${path}\n`);
  return [
    { kind: "directory", path: "/", mode: 0o755 },
    ...(conffiles.length > 0 ? [textFile("/conffiles", 0o644, conffiles.join(""))] : []),
    textFile("/control", 0o644, controlFile(request, tree)),
    textFile("/md5sums", 0o644, sums.text()),
    ...(await maintainerScripts(request)),
  ];
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
