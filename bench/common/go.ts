import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/**
 * Compiles one Go file, which may import go-systemd: Debian's sources of it where they are installed, offline, else the pinned
 * version as a Go module. Static, so that the program also starts in a Debian of another release.
 * @throws {Error} where there is no Go, or no go-systemd
 */
export async function buildGo(source: string, program: string): Promise<string> {
  const go = await findGo();
  const folder = mkdtempSync(join(tmpdir(), "rouse-go-"));
  try {
    copyFileSync(source, join(folder, "main.go"));
    const settings = existsSync(debianSources) ? fromDebian(folder) : asModule(folder);
    const env = { ...process.env, ...settings, GOTOOLCHAIN: "local", CGO_ENABLED: "0" };
    await run(go, ["build", "-o", program, "main.go"], { cwd: folder, env });
    return program;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`${stderr?.trim() || message} (${install})`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The version of the Go that is here, for example "Go 1.26.8". Undefined where there is none. */
export async function goVersion(): Promise<string | undefined> {
  const go = await findGo().catch(() => undefined);
  return go && (await run(go, ["env", "GOVERSION"])).stdout.trim().replace("go", "Go ");
}

// --- internal ---

const run = promisify(execFile);
const install = "apt-get install golang-go golang-github-coreos-go-systemd-dev";
const debianSources = "/usr/share/gocode/src/github.com/coreos/go-systemd";

async function findGo(): Promise<string> {
  for (const go of ["go", "/usr/lib/go/bin/go"]) {
    if (await run(go, ["version"]).catch(() => undefined)) return go;
  }
  throw new Error(`Go is not installed: ${install}`);
}

/** Debian's sources lie in a GOPATH, where there is no /v22 in their path. */
function fromDebian(folder: string): NodeJS.ProcessEnv {
  const parent = join(folder, "path/src/github.com/coreos/go-systemd");
  mkdirSync(parent, { recursive: true });
  const versioned = join(debianSources, "v22");
  symlinkSync(existsSync(versioned) ? versioned : debianSources, join(parent, "v22"));
  const GOPATH = [join(folder, "path"), "/usr/share/gocode"].join(delimiter);
  return { GO111MODULE: "off", GOPROXY: "off", GOFLAGS: "", GOPATH };
}

function asModule(folder: string): NodeJS.ProcessEnv {
  writeFileSync(join(folder, "go.mod"), `module bench\n\ngo 1.19\n\nrequire ${pinned[0]} ${pinned[1]}\n`);
  writeFileSync(join(folder, "go.sum"), sums);
  return { GO111MODULE: "on", GOFLAGS: "-mod=mod" };
}

const pinned = ["github.com/coreos/go-systemd/v22", "v22.5.0"] as const;
const sums = `github.com/coreos/go-systemd/v22 v22.5.0 h1:RrqgGjYQKalulkV8NGVIfkXQf6YYmOyiJKk8iXXhfZs=
github.com/coreos/go-systemd/v22 v22.5.0/go.mod h1:Y58oyj3AT4RCenI/lSvhwexgC+NSVTIJ3seZv2GcEnc=
github.com/godbus/dbus/v5 v5.0.4/go.mod h1:xhWf0FNVPg57R7Z0UbKHbJfkEywrmjJnf7w5xrFpKfA=
`;
