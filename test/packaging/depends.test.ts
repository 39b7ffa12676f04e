import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { dependsOn } from "../../packaging/deb/depends.ts";
import { RouseError } from "../../src/problem.ts";
import { sampleRequest } from "./sample.ts";

suite("Depends", () => {
  test("of Node 26 name four packages, each with the newest version that any library of it asks for", () => {
    assert.equal(
      dependsOn(sampleRequest("/bin/true").libraries),
      "libatomic1 (>= 4.8), libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 10.2)",
    );
  });

  test("of nothing are nothing, and a library without symbol versions has any version", () => {
    assert.equal(dependsOn([]), "");
    assert.equal(dependsOn([{ soname: "libc.so.6", versions: [] }]), "libc6");
  });

  test("compare versions as numbers, not as text", () => {
    const of = (soname: string, ...versions: string[]) => dependsOn([{ soname, versions }]);
    assert.equal(of("libc.so.6", "GLIBC_2.9", "GLIBC_2.17", "GLIBC_2.3.4"), "libc6 (>= 2.17)");
    assert.equal(of("libc.so.6", "GLIBC_2.34", "GLIBC_ABI_DT_RELR"), "libc6 (>= 2.36)");
    assert.equal(of("libstdc++.so.6", "GLIBCXX_3.4.30", "CXXABI_1.3"), "libstdc++6 (>= 12)");
    assert.equal(of("libstdc++.so.6", "GLIBCXX_3.4", "CXXABI_1.3.9"), "libstdc++6 (>= 5)");
    assert.equal(of("libgcc_s.so.1", "GCC_3.3.1", "GCC_7.0.0"), "libgcc-s1 (>= 7)");
    assert.equal(of("ld-linux-aarch64.so.1", "GLIBC_2.17"), "libc6 (>= 2.17)");
  });

  test("name every library and every symbol version that no package is known for", () => {
    const libraries = [
      { soname: "libfoo.so.3", versions: [] },
      { soname: "libstdc++.so.6", versions: ["GLIBCXX_3.4.99"] },
      { soname: "libm.so.7", versions: ["GLIBC_2.2.5"] },
    ];
    assert.throws(
      () => dependsOn(libraries),
      (error) => {
        assert.ok(error instanceof RouseError);
        const said = error.problems.map(({ what }) => /needs (.*?)[ ,]/.exec(what)![1]);
        assert.deepEqual(said, ["libfoo.so.3", "GLIBCXX_3.4.99", "libm.so.7"]);
        return true;
      },
    );
  });
});
