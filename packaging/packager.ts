import type { PackageFormat, Service, Target } from "../src/service.ts";

/** Turns one service, built for one target, into one installable file. Each format has a folder of its own and this face. */
export interface Packager {
  readonly format: PackageFormat;
  /** Which targets the format is for. */
  readonly targets: readonly Target[];
  /** The archive's file name, for example "acme-lunchd_1.2.3-1_amd64.deb". */
  fileName(service: Service, target: Target): string;
  /**
   * What the format refuses about this service (a version, a package name), before anything is built.
   * @throws {RouseError} with one problem for each
   */
  check(service: Service): void;
  /** Writes the archive to `path`, which does not exist yet; the caller renames it to its final name. Leaves nothing when it throws. */
  write(request: PackageRequest, path: string): Promise<void>;
}

export interface PackageRequest {
  readonly service: Service;
  readonly target: Target;
  /** Seconds since 1970, for every time stamp in the archive (SOURCE_DATE_EPOCH). */
  readonly time: number;
  /** What is installed beyond what the format adds itself (copyright, changelog). */
  readonly files: readonly PackageFile[];
  /** The units among the files, which the maintainer scripts enable and start. */
  readonly units: readonly PackageUnit[];
  /** What the executable needs from the system. */
  readonly libraries: readonly LibraryNeed[];
  /** Licence texts of what is inside, and of the service itself where it has one: that one carries the service's name as its title. */
  readonly licenses: readonly { readonly title: string; readonly text: string }[];
}

export interface PackageFile {
  /** Absolute, where it is installed. */
  readonly path: string;
  /** Permission bits, for example 0o644. Ignored for links. */
  readonly mode: number;
  readonly content:
    | { readonly kind: "file"; readonly source: string }
    | { readonly kind: "text"; readonly text: string | Uint8Array }
    | { readonly kind: "link"; readonly target: string };
  /** The administrator's to edit: upgrades keep the edits. */
  readonly conffile: boolean;
}

export interface PackageUnit {
  /** For example "hello.socket". */
  readonly name: string;
  readonly kind: "socket" | "service";
  /** Has an [Install] section, so it is enabled on the first install. */
  readonly installable: boolean;
  /** Started by the scripts on the first install. */
  readonly start: boolean;
}

/** One DT_NEEDED entry of an ELF file with the symbol versions that it asks of it. */
export interface LibraryNeed {
  /** For example "libc.so.6". */
  readonly soname: string;
  /** For example ["GLIBC_2.28", "GLIBC_2.17"]. */
  readonly versions: readonly string[];
}
