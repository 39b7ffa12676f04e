import { type Problem, RouseError } from "../../src/problem.ts";
import type { LibraryNeed } from "../packager.ts";

/**
 * The Depends field for what an executable needs: one entry for each Debian package, with the version that brought the newest symbol
 * version asked for, in the order of the alphabet.
 * The versions are those of Debian's own symbols files (deb-symbols(5)), so that the field is what dpkg-shlibdeps would write on the
 * machine where the executable was linked.
 * @throws {RouseError} naming each library and each symbol version that no Debian package is known for
 */
export function dependsOn(libraries: readonly LibraryNeed[]): string {
  const problems: Problem[] = [];
  const versions = new Map<string, string | undefined>();
  for (const { soname, versions: symbols } of libraries) {
    const library = libraryOf(soname);
    if (library === undefined) {
      problems.push(unknownLibrary(soname));
      continue;
    }
    let least = versions.get(library.package);
    for (const symbol of symbols) {
      const since = library.since(symbol);
      if (since === undefined) problems.push(unknownSymbol(soname, symbol));
      else if (least === undefined || newer(since, least)) least = since;
    }
    versions.set(library.package, least);
  }
  if (problems.length > 0) throw new RouseError(problems);
  return [...versions]
    .map(([name, least]) => (least === undefined ? name : `${name} (>= ${least})`))
    .sort()
    .join(", ");
}

// --- internal ---

interface Library {
  readonly package: string;
  /** The version of the package that brought a symbol version. */
  since(symbol: string): string | undefined;
}

/** glibc's symbol versions and Debian's package share their numbers; one marks a feature of the loader instead. */
const glibc: Library = {
  package: "libc6",
  since: (symbol) => (symbol === "GLIBC_ABI_DT_RELR" ? "2.36" : /^GLIBC_(\d+(?:\.\d+)+)$/.exec(symbol)?.[1]),
};

/** GCC_4.2.0 came with 4.2; from 7 on only the first number counts. */
const gcc: Library = {
  package: "libgcc-s1",
  since: (symbol) => /^GCC_(\d+(?:\.\d+)*?)(?:\.0)*$/.exec(symbol)?.[1],
};

const atomic: Library = {
  package: "libatomic1",
  since: (symbol) => ({ "LIBATOMIC_1.0": "4.8", "LIBATOMIC_1.1": "4.9", "LIBATOMIC_1.2": "6" })[symbol],
};

const stdcxx: Library = {
  package: "libstdc++6",
  since(symbol) {
    const [, kind = "", last = "0"] = /^(GLIBCXX_3\.4|CXXABI_1\.3)(?:\.(\d+))?$/.exec(symbol) ?? [];
    return stdcxxSince[kind]?.[Number(last)];
  },
};

/** By the last number of the symbol version: GLIBCXX_3.4.21 is entry 21. */
const stdcxxSince: Readonly<Record<string, readonly string[]>> = {
  "GLIBCXX_3.4": (
    "4.1.1 4.1.1 4.1.1 4.1.1 4.1.1 4.1.1 4.1.1 4.1.1 4.1.1 4.2.1 4.3 4.4 4.4 4.4.2 4.5 4.6 4.6 4.7 4.8 4.8 4.9 5.2 6 10.2 7 8 9 " +
    "9.1 10.2 11 12 13.1 13.2 14 15"
  ).split(" "),
  "CXXABI_1.3": "4.1.1 4.1.1 4.3 4.3 4.3 4.3 4.3 4.3 4.3 5 6 10.2 9 11 13.1 14 15".split(" "),
};

function libraryOf(soname: string): Library | undefined {
  if (
    /^(lib(c|m)\.so\.6|lib(dl|resolv)\.so\.2|lib(rt|util|anl|mvec)\.so\.1|libpthread\.so\.0|ld-linux.*\.so\.\d)$/.test(
      soname,
    )
  ) {
    return glibc;
  }
  return { "libstdc++.so.6": stdcxx, "libgcc_s.so.1": gcc, "libatomic.so.1": atomic }[soname];
}

function newer(a: string, b: string): boolean {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  const at = left.findIndex((number, index) => number !== (right[index] ?? 0));
  return at >= 0 && left[at]! > (right[at] ?? 0);
}

function unknownLibrary(soname: string): Problem {
  return {
    code: "unknown-library",
    what: `the executable needs ${soname}, and Rouse does not know which Debian package has it`,
    mend: "link the library statically, or leave deb out of the packages",
  };
}

function unknownSymbol(soname: string, symbol: string): Problem {
  return {
    code: "unknown-library",
    what: `the executable needs ${symbol} of ${soname}, and Rouse does not know since when Debian has it`,
    mend: "build the executable on an older system, or use a newer Rouse",
  };
}
