/**
 * What is compiled for macOS, compiled for Linux: a "cc" that leaves Apple's options away stands in for Apple's. That dyld
 * loads the library and puts its function in the place of libSystem's cannot be tried here.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { writeStandIn } from "../../launchd/stand-in.ts";
import { RouseError } from "../../src/problem.ts";
import { has } from "../helpers/tools.ts";
import { checkContract } from "./contract.ts";
import { compileAsker, LABEL, makeFolder, type Prepare } from "./job.ts";

const skip = process.platform === "linux" ? false : "the stand-ins for Apple's tools are for Linux";

describe("the library for macOS, compiled for Linux", { skip }, () => {
  checkContract((t) => {
    if (!has(t, "cc", "gcc libc6-dev")) return undefined;
    const tools = writeTools(t);
    const prepare: Prepare = async (folder, sockets, env) => {
      const standIn = { target: "darwin-arm64", label: LABEL, sockets, env: { ...env, PATH: tools.path } } as const;
      const { XPC_SERVICE_NAME, DYLD_INSERT_LIBRARIES } = (await writeStandIn(folder, standIn)).env;
      assert.equal(XPC_SERVICE_NAME, LABEL);
      assert.equal(DYLD_INSERT_LIBRARIES, join(folder, "librouse-launchd.dylib"));
      return { LD_PRELOAD: DYLD_INSERT_LIBRARIES };
    };
    return { command: [compileAsker(t)], options: { prepare } };
  });
});

describe("Apple's tools", { skip }, () => {
  for (const [target, architectures] of [
    ["darwin-arm64", "-arch arm64 -arch x86_64"],
    ["darwin-x64", "-arch x86_64"],
  ] as const) {
    it(`are asked for a library for ${target}, in a folder whatever its name`, async (t) => {
      if (!has(t, "cc", "gcc libc6-dev")) return;
      const tools = writeTools(t);
      const folder = makeFolder(t, `rouse "it's $HOME" `);
      const env = { PATH: tools.path, DYLD_INSERT_LIBRARIES: "/x.dylib" };
      const made = await writeStandIn(folder, { target, label: LABEL, sockets: {}, env });
      assert.equal(made.env.DYLD_INSERT_LIBRARIES, `/x.dylib:${join(folder, "librouse-launchd.dylib")}`);
      assert.ok(tools.asked().startsWith(`-dynamiclib -std=gnu11 -O1 ${architectures} -I ${folder} -o ${folder}/`));
    });
  }

  it("that are not installed are named, with how to install them", async (t) => {
    const missing = {
      code: "no-compiler",
      what: "on macOS the stand-in for launchd is compiled when it is needed, and there is no C compiler",
      mend: "run `xcode-select --install`",
    };
    await assertRefused(
      t,
      writeTools(t, { "xcode-select": "exit 2", cc: "echo a window opens; sleep 60" }).path,
      missing,
    );
    await assertRefused(t, writeTools(t, { "xcode-select": "exit 0", cc: undefined }).onlyPath, missing);
  });

  it("that fail are quoted", async (t) => {
    const tools = writeTools(t, { cc: "echo 'xcrun: error: invalid active developer path' >&2; exit 1" });
    await assertRefused(t, tools.path, {
      code: "stand-in-not-compiled",
      what: "the stand-in for launchd was not compiled: xcrun: error: invalid active developer path",
      mend: "check that `cc` compiles: `xcode-select --install` installs it, `sudo xcode-select --reset` mends it after an upgrade",
    });
  });

  it("get no path that dyld would take for two", async (t) => {
    const folder = makeFolder(t, "rouse:");
    const refused = writeStandIn(folder, { target: "darwin-x64", label: LABEL, sockets: {}, env: {} });
    await assert.rejects(
      refused,
      /cannot be preloaded from ".*rouse:.*": DYLD_INSERT_LIBRARIES allows no ":" in a path/,
    );
  });
});

// --- internal ---

interface Tools {
  /** A PATH on which they come first. */
  readonly path: string;
  readonly onlyPath: string;
  /** What cc was called with. */
  asked(): string;
}

function writeTools(t: TestContext, scripts: Readonly<Record<string, string | undefined>> = {}): Tools {
  const folder = makeFolder(t);
  const asked = join(folder, "asked");
  const standIns = {
    "xcode-select": '[ "$1" = -p ]',
    cc: `printf '%s' "$*" > ${asked}
      for arg; do
        shift
        case $arg in
          -arch | arm64 | x86_64) ;;
          -dynamiclib) set -- "$@" -shared -fPIC -Wall -Wextra -Werror ;;
          *) set -- "$@" "$arg" ;;
        esac
      done
      PATH=\${PATH#*:} exec cc "$@"`,
    ...scripts,
  };
  for (const [name, script] of Object.entries(standIns)) {
    if (script !== undefined) writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const path = [folder, process.env.PATH].join(delimiter);
  return { path, onlyPath: folder, asked: () => readFileSync(asked, "utf8") };
}

async function assertRefused(
  t: TestContext,
  path: string,
  expected: { code: string; what: string; mend: string },
): Promise<void> {
  const standIn = { target: "darwin-arm64", label: LABEL, sockets: {}, env: { PATH: path } } as const;
  await assert.rejects(writeStandIn(makeFolder(t), standIn), (error) => {
    assert.ok(error instanceof RouseError);
    assert.deepEqual(error.problems, [expected]);
    return true;
  });
}
