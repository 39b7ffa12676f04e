import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { debianVersion } from "../../packaging/deb/version.ts";
import { attempt, has } from "./tools.ts";

suite("Debian versions", () => {
  for (const [semver, debian] of [
    ["1.2.3", "1.2.3-1"],
    ["1.2.3-beta.1", "1.2.3~beta.1-1"],
    ["1.2.3-x-y.1", "1.2.3~x-y.1-1"],
    ["1.2.3+build-5", "1.2.3+build-5-1"],
    ["1.2.3-rc.1+sha.5114f85", "1.2.3~rc.1+sha.5114f85-1"],
    ["1.2.3+a+b", "1.2.3+a+b-1"],
    ["v1.2.3", undefined],
    ["1.2.3_4", undefined],
    ["1:2.3", undefined],
    ["1.2.3\n", undefined],
    ["", undefined],
  ] as const) {
    test(`${JSON.stringify(semver)} is ${debian ?? "none"}`, () => assert.equal(debianVersion(semver), debian));
  }

  test("dpkg ranks them as semver ranks the originals", (t) => {
    if (!has(t, "dpkg", "dpkg")) return;
    // The list of semver.org's rule 11, with neighbours.
    const rising = [
      "0.9.9",
      "1.0.0-1",
      "1.0.0-2",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.1-alpha",
      "1.0.1",
      "1.0.10",
      "1.10.0",
    ];
    for (const [index, lower] of rising.entries()) {
      for (const higher of rising.slice(index + 1)) {
        const order = [debianVersion(lower)!, "lt", debianVersion(higher)!];
        assert.equal(attempt("dpkg", ["--compare-versions", ...order]).status, 0, order.join(" "));
      }
    }
  });
});
