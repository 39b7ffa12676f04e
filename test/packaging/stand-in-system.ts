import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { maintainerScripts } from "../../packaging/deb/scripts.ts";
import type { PackageRequest } from "../../packaging/packager.ts";

type Script = "preinst" | "postinst" | "prerm" | "postrm";

/** The maintainer scripts and unit files of one version. */
export interface Version {
  readonly scripts: Readonly<Record<Script, string>>;
  readonly files: Readonly<Record<string, string>>;
}

export async function versionOf(request: PackageRequest): Promise<Version> {
  const scripts: Partial<Record<Script, string>> = {};
  for (const { path, read } of await maintainerScripts(request)) {
    const parts: Uint8Array[] = [];
    for await (const chunk of read()) parts.push(chunk);
    scripts[path.slice(1) as Script] = Buffer.concat(parts).toString();
  }
  const files = request.files.flatMap(({ path, content }) =>
    content.kind === "text" ? [[path, String(content.text)] as const] : [],
  );
  return { scripts: scripts as Record<Script, string>, files: Object.fromEntries(files) };
}

/**
 * A Debian in a folder: it calls the scripts as dpkg does (deb-postinst(5), Debian Policy 6.6) and records what they ask of systemctl,
 * deb-systemd-helper and deb-systemd-invoke. Absolute paths in the scripts are moved into the folder.
 */
export class StandInSystem {
  /** Units that `systemctl is-active` says yes to. */
  active: readonly string[] = [];
  /** Units that the administrator disabled. */
  disabled: readonly string[] = [];
  /** Units that the administrator stopped. */
  inactive: readonly string[] = [];
  /** A command, by its beginning, that fails. */
  failing = "";
  /** Units that `systemctl is-failed` says yes to. */
  failed: readonly string[] = [];
  /** What the last script printed for the user. */
  stderr = "";
  readonly root: string;
  #installed: Version | undefined;

  constructor(root: string, systemd: boolean) {
    this.root = root;
    for (const folder of ["bin", "run", "etc/systemd/system", "usr/lib/systemd/system"]) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    if (systemd) mkdirSync(join(root, "run/systemd/system"), { recursive: true });
    for (const tool of [
      "systemctl",
      "deb-systemd-helper",
      "deb-systemd-invoke",
      "systemd-sysusers",
      "systemd-tmpfiles",
    ]) {
      writeFileSync(join(root, "bin", tool), standIn, { mode: 0o755 });
    }
    writeFileSync(join(root, "bin/dpkg-query"), dpkgQuery, { mode: 0o755 });
  }

  install(version: Version, oldVersion?: string): string[] {
    const calls = this.call(version, "preinst", "install", ...(oldVersion ? [oldVersion] : []));
    this.unpack(version);
    return [...calls, ...this.call(version, "postinst", "configure", oldVersion ?? "")];
  }

  upgrade(version: Version): string[] {
    return [...this.unpackUpgrade(version), ...this.call(version, "postinst", "configure", "1")];
  }

  /** An upgrade as far as `dpkg --unpack` goes. */
  unpackUpgrade(version: Version): string[] {
    const old = this.#installed!;
    const calls = [...this.call(old, "prerm", "upgrade", "2"), ...this.call(version, "preinst", "upgrade", "1", "2")];
    this.unpack(version);
    return [...calls, ...this.call(old, "postrm", "upgrade", "2")];
  }

  remove(): string[] {
    const old = this.#installed!;
    const calls = this.call(old, "prerm", "remove");
    for (const path of Object.keys(old.files)) rmSync(join(this.root, path), { force: true });
    writeFileSync(join(this.root, "files"), "");
    return [...calls, ...this.call(old, "postrm", "remove")];
  }

  /** Runs one script and gives the calls that it made, redirections aside. */
  call(version: Version, script: Script, ...args: readonly string[]): string[] {
    const log = join(this.root, "log");
    writeFileSync(log, "");
    const text = version.scripts[script].replace(/(?<![\w/@*}])\/(run|etc|usr|var)\//g, `${this.root}/$1/`);
    const { status, stderr, stdout } = spawnSync("dash", ["-s", ...args], {
      input: text,
      encoding: "utf8",
      env: {
        PATH: `${join(this.root, "bin")}:/usr/bin:/bin`,
        ROOT: this.root,
        ACTIVE: this.active.join(" "),
        DISABLED: this.disabled.join(" "),
        FAILING: this.failing,
        FAILED: this.failed.join(" "),
        INACTIVE: this.inactive.join(" "),
      },
    });
    this.stderr = stderr;
    if (status !== 0) throw new Error(`${script} ${args.join(" ")} gave ${status}: ${stdout}${stderr}`);
    return readFileSync(log, "utf8").split("\n").slice(0, -1);
  }

  /** What the scripts have left in a folder. */
  list(folder: string): string[] {
    return existsSync(join(this.root, folder)) ? readdirSync(join(this.root, folder)).sort() : [];
  }

  unpack(version: Version): void {
    const old = Object.keys(this.#installed?.files ?? {});
    for (const [path, content] of Object.entries(version.files)) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      writeFileSync(join(this.root, path), content);
    }
    for (const path of old) if (version.files[path] === undefined) rmSync(join(this.root, path), { force: true });
    writeFileSync(
      join(this.root, "files"),
      Object.keys(version.files)
        .map((path) => `${join(this.root, path)}\n`)
        .join(""),
    );
    // As dpkg keeps it under /var/lib/dpkg/info, also after a removal.
    writeFileSync(join(this.root, "postrm"), version.scripts.postrm);
    this.#installed = version;
  }

  /** Makes a folder with a file in it; gives its path. */
  folder(path: string): string {
    mkdirSync(join(this.root, path), { recursive: true });
    writeFileSync(join(this.root, path, "kept"), basename(path));
    return join(this.root, path);
  }
}

// --- internal ---

/** Its systemctl knows a socket's settings as they were at the last daemon-reload, in /etc and drop-ins too. */
const standIn = `#!/bin/sh
call="\${0##*/} $*"
settings() {
  file="$ROOT/etc/systemd/system/$1"
  [ -f "$file" ] || file="$ROOT/usr/lib/systemd/system/$1"
  cat "$file" "$ROOT/etc/systemd/system/$1.d/"*.conf 2>/dev/null |
    awk -F= '/^\\[/ { on = $0 == "[Socket]" }
      on && NF == 2 { value[$1] = $2 }
      END { for (key in value) print (key == "ListenStream" ? "Listen=" value[key] " (Stream)" : key "=" value[key]) }'
}
case "$call" in
  "systemctl show --value --property=ActiveState "*)
    for unit in $INACTIVE; do [ "$unit" != "$4" ] || exec echo inactive; done
    exec echo active ;;
  "systemctl show --property="*)
    case " $INACTIVE " in *" $3 "*) echo ActiveState=inactive ;; *) echo ActiveState=active ;; esac
    names="^($(echo "\${2#*=}" | tr , '|'))="
    if [ -f "$ROOT/loaded/$3" ]; then cat "$ROOT/loaded/$3"; else settings "$3"; fi | grep -E "$names" | sort
    exit 0 ;;
  "systemctl --quiet is-failed "*)
    for unit in $FAILED; do [ "$unit" != "$3" ] || exit 0; done
    exit 1 ;;
esac
echo "$call" >>"$ROOT/log"
case "$call" in
  "$FAILING"*) [ -z "$FAILING" ] || exit 1 ;;
esac
case "$call" in
  "deb-systemd-helper --quiet was-enabled "*)
    for unit in $DISABLED; do [ "$unit" != "$3" ] || exit 1; done ;;
  "systemctl --quiet is-active "*)
    for unit in $ACTIVE; do [ "$unit" != "$3" ] || exit 0; done
    exit 3 ;;
  "systemctl --system daemon-reload")
    mkdir -p "$ROOT/loaded"
    for file in "$ROOT/usr/lib/systemd/system/"*.socket; do
      [ ! -f "$file" ] || settings "\${file##*/}" >"$ROOT/loaded/\${file##*/}"
    done ;;
esac
`;

/** Knows the files of the package, where its postrm is kept, and what other packages have (the file owned). */
const dpkgQuery = `#!/bin/sh
case "$1" in
  --listfiles) cat "$ROOT/files" ;;
  --control-path) echo "$ROOT/$3" ;;
  --search)
    shift
    for path; do
      path=$(echo "$path" | sed 's/\\\\\\\\\\(.\\)/\\1/g')
      grep -s ": $path\\$" "$ROOT/owned"
      grep -sx "$path" "$ROOT/files" | sed 's/^/acme-lunchd: /'
    done ;;
esac
`;
