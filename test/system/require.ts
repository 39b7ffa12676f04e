import { type TestContext, test } from "node:test";
import { bootMachine, type Machine, type MachineOptions } from "./machine.ts";
import { startSteps } from "./step.ts";
import { whyNotHere } from "./tools.ts";

/**
 * A test on a freshly booted machine of its own, destroyed afterwards however the test ends.
 * Where machines cannot run, it is skipped with the reason; in CI and under ROUSE_REQUIRE_SYSTEM=1 that is a failure.
 */
export function systemTest(
  name: string,
  body: (machine: Machine, context: TestContext) => Promise<void>,
  options: MachineOptions = {},
): void {
  hostTest(name, async (context) => {
    await using machine = await bootMachine(options);
    await body(machine, context);
  });
}

/** A test that boots its machines itself, or needs only the tools; with the same condition as systemTest. */
export function hostTest(name: string, body: (context: TestContext) => Promise<void>): void {
  const obstacle = whyNotHere();
  if (obstacle !== undefined && !isRequired()) {
    test(name, { skip: obstacle });
    return;
  }
  // Generous, because the first test of a fresh cache waits for debootstrap.
  test(name, { timeout: 20 * 60_000 }, async (context) => {
    if (obstacle !== undefined) throw new Error(`system tests are required here, but ${obstacle}`);
    startSteps(name);
    await body(context);
  });
}

// --- internal ---

function isRequired(): boolean {
  const { CI = "", ROUSE_REQUIRE_SYSTEM = "" } = process.env;
  return [CI, ROUSE_REQUIRE_SYSTEM].some((value) => !["", "0", "false"].includes(value));
}
