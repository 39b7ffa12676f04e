import { before, type TestContext, test } from "node:test";
import { bootMachine, type Machine, type MachineOptions } from "./machine.ts";
import { debianRoot, defaultSuite, type Suite } from "./root.ts";
import { startSteps } from "./step.ts";
import { whyNotHere } from "./tools.ts";

export interface TestOptions extends MachineOptions {
  /** Why the test does not fit this Debian. */
  readonly skip?: string;
  /** Milliseconds; two minutes unless told. */
  readonly timeout?: number;
}

/**
 * A test on a freshly booted machine of its own, destroyed afterwards however the test ends.
 * Where machines cannot run, it is skipped with the reason; in CI and under ROUSE_REQUIRE_SYSTEM=1 that is a failure.
 *
 *     systemTest("hello: answers", async (machine) => {
 *       await machine.install((await buildExample("hello")).path("deb"));
 *       assert.equal((await machine.get("http://127.0.0.1/")).body, "Hello World!\\n");
 *     });
 */
export function systemTest(
  name: string,
  body: (machine: Machine, context: TestContext) => Promise<void>,
  options: TestOptions = {},
): void {
  hostTest(
    name,
    async (context) => {
      await using machine = await bootMachine(options);
      // After its time nothing ends the body, which may be waiting for the machine.
      context.signal.addEventListener("abort", () => void machine[Symbol.asyncDispose]());
      await body(machine, context);
    },
    options,
  );
}

/** A test that boots its machines itself, or needs only the tools; with the same condition as systemTest. */
export function hostTest(name: string, body: (context: TestContext) => Promise<void>, options: TestOptions = {}): void {
  if (options.skip) {
    test(name, { skip: options.skip });
    return;
  }
  const obstacle = whyNotHere();
  if (obstacle !== undefined && !isRequired()) {
    test(name, { skip: obstacle });
    return;
  }
  if (obstacle === undefined) prepare(options.suite ?? defaultSuite);
  test(name, { timeout: options.timeout ?? 2 * 60_000 }, async (context) => {
    if (obstacle !== undefined) throw new Error(`system tests are required here, but ${obstacle}`);
    startSteps(name);
    await body(context);
  });
}

/** For a test of what systemd 252 cannot do. */
export function sinceTrixie(what: string): TestOptions {
  return defaultSuite === "trixie" ? {} : { skip: `${what} needs systemd 253: ROUSE_TEST_SUITE=trixie runs it` };
}

// --- internal ---

const prepared = new Set<Suite>();

/** Debootstrap in a fresh cache takes minutes, which are not the first test's. */
function prepare(suite: Suite): void {
  if (prepared.has(suite)) return;
  prepared.add(suite);
  before(async () => void (await debianRoot(suite)), { timeout: 20 * 60_000 });
}

function isRequired(): boolean {
  const { CI = "", ROUSE_REQUIRE_SYSTEM = "" } = process.env;
  return [CI, ROUSE_REQUIRE_SYSTEM].some((value) => !["", "0", "false"].includes(value));
}
