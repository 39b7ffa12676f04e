import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ActivationError } from "../../src/activation/error.ts";
import { parseListenFds, takeListenVariables } from "../../systemd/listen-fds.ts";

const PID = 4711;

describe("LISTEN_* variables", () => {
  const accepted: [title: string, env: NodeJS.ProcessEnv, expected: ReturnType<typeof parseListenFds>][] = [
    ["nothing", {}, undefined],
    ["a process id alone", { LISTEN_PID: "4711" }, undefined],
    ["one socket", { LISTEN_FDS: "1", LISTEN_PID: "4711" }, { pid: PID, count: 1, names: undefined }],
    [
      "a name",
      { LISTEN_FDS: "1", LISTEN_PID: "4711", LISTEN_FDNAMES: "http" },
      { pid: PID, count: 1, names: ["http"] },
    ],
    ["names that repeat", { LISTEN_FDS: "2", LISTEN_FDNAMES: "a:a" }, { pid: undefined, count: 2, names: ["a", "a"] }],
    ["empty names", { LISTEN_FDS: "3", LISTEN_FDNAMES: "::x" }, { pid: undefined, count: 3, names: ["", "", "x"] }],
    ["no process id", { LISTEN_FDS: "1" }, { pid: undefined, count: 1, names: undefined }],
    ["another process", { LISTEN_FDS: "1", LISTEN_PID: "4712" }, { pid: 4712, count: 0, names: undefined }],
    ["another process, unread", { LISTEN_FDS: "x", LISTEN_PID: "1" }, { pid: 1, count: 0, names: undefined }],
    [
      "a pidfd id",
      { LISTEN_FDS: "1", LISTEN_PIDFDID: "18446744073709551615" },
      { pid: undefined, count: 1, names: undefined },
    ],
    ["the most", { LISTEN_FDS: "2147483644" }, { pid: undefined, count: 2147483644, names: undefined }],
  ];
  for (const [title, env, expected] of accepted) {
    it(`accepts ${title}`, () => assert.deepEqual(parseListenFds(env, PID), expected));
  }

  const refused: [env: NodeJS.ProcessEnv, code: string, message: RegExp][] = [
    [{ LISTEN_FDS: "abc" }, "bad-variable", /^LISTEN_FDS="abc" is no number from 1 to 2147483644\. Remove it/],
    [{ LISTEN_FDS: "" }, "bad-variable", /LISTEN_FDS=""/],
    [{ LISTEN_FDS: "0" }, "bad-variable", /LISTEN_FDS="0"/],
    [{ LISTEN_FDS: "-1" }, "bad-variable", /LISTEN_FDS="-1"/],
    [{ LISTEN_FDS: "1.5" }, "bad-variable", /LISTEN_FDS="1.5"/],
    [{ LISTEN_FDS: " 1" }, "bad-variable", /LISTEN_FDS=" 1"/],
    [{ LISTEN_FDS: "1\n" }, "bad-variable", /LISTEN_FDS="1\n"/],
    [{ LISTEN_FDS: "2147483645" }, "bad-variable", /LISTEN_FDS="2147483645"/],
    [{ LISTEN_PID: "me" }, "bad-variable", /LISTEN_PID="me"/],
    [{ LISTEN_FDS: "1", LISTEN_PID: "" }, "bad-variable", /LISTEN_PID=""/],
    [{ LISTEN_FDS: "1", LISTEN_PID: "4711", LISTEN_PIDFDID: "x" }, "bad-variable", /LISTEN_PIDFDID="x"/],
    [{ LISTEN_FDS: "2", LISTEN_FDNAMES: "http" }, "name-count", /LISTEN_FDS=2, but LISTEN_FDNAMES="http" has 1/],
    [{ LISTEN_FDS: "1", LISTEN_FDNAMES: "a:b" }, "name-count", /LISTEN_FDS=1, but LISTEN_FDNAMES="a:b" has 2/],
  ];
  for (const [env, code, message] of refused) {
    it(`refuses ${JSON.stringify(env)}`, () =>
      assert.throws(() => parseListenFds(env, PID), { name: "ActivationError", code, message }));
  }

  it("gives a count in range and as many names, or an ActivationError, whatever the variables say", () => {
    const text = fc.oneof(fc.string(), fc.integer().map(String), fc.constantFrom("1", "2", "4711", "a:b", ""));
    const variable = fc.option(text, { nil: undefined });
    const env = fc.record({
      LISTEN_FDS: variable,
      LISTEN_PID: variable,
      LISTEN_FDNAMES: variable,
      LISTEN_PIDFDID: variable,
    });
    fc.assert(
      fc.property(env, (variables) => {
        try {
          const parsed = parseListenFds(variables, PID);
          if (!parsed) return variables.LISTEN_FDS === undefined;
          if (parsed.count === 0) return parsed.pid !== PID && parsed.pid !== undefined;
          const named = !parsed.names || parsed.names.length === parsed.count;
          return named && Number.isInteger(parsed.count) && parsed.count >= 1 && parsed.count <= 2 ** 31 - 4;
        } catch (error) {
          return error instanceof ActivationError;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("takes all four out of the environment and nothing else", () => {
    const env = { LISTEN_FDS: "1", LISTEN_PID: "2", LISTEN_FDNAMES: "a", LISTEN_PIDFDID: "3", PATH: "/bin" };
    const before = { ...env };
    const { PATH, ...variables } = before;
    assert.deepEqual(takeListenVariables(env), variables);
    assert.deepEqual(env, { PATH });
  });
});
