/** What every stand-in does, whichever way it is made: the contract of launch_activate_socket(3). */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { it, type TestContext } from "node:test";
import { hold, type Job, type JobOptions, startInJob } from "./job.ts";

const { EALREADY, ENOENT, ESRCH } = constants.errno;

export interface Asker {
  /** Starts test/fixtures/launchd-asks.c, to whose arguments others are added. */
  readonly command: readonly string[];
  readonly options?: JobOptions;
}

/** @param prepare gives nothing where the tools for it are missing */
export function checkContract(prepare: (t: TestContext) => Asker | undefined): void {
  function check(title: string, body: (ask: Ask, t: TestContext) => Promise<void>): void {
    it(title, { timeout: 60_000 }, async (t) => {
      const asker = prepare(t);
      if (asker) await body((args, job) => output(t, asker, args, job), t);
    });
  }

  for (const way of ["weak", "dlsym"]) {
    check(`gives sockets by name, and says what it has not (${way})`, async (ask, t) => {
      const job = { http: [hold(t), hold(t, { host: "::1" })], admin: [hold(t, { type: "datagram" })], nothing: [] };
      const asked = ["admin", "http", "nothing", "none"].flatMap((name) => ["ask", name]);
      assert.equal(await ask([way, ...asked], job), `admin: 0 5\nhttp: 0 3 4\nnothing: 0\nnone: ${ENOENT}\n`);
    });
  }

  check("has nothing for a job without sockets", async (ask) => {
    assert.equal(await ask(["weak", "ask", "http", "ask", ""], {}), `http: ${ENOENT}\n: ${ENOENT}\n`);
  });

  check("gives a name once, whatever became of its sockets", async (ask, t) => {
    const args = ["weak", "ask", "http", "ask", "http", "ask", "admin", "close", "3", "ask", "http"];
    const job = { http: [hold(t)], admin: [hold(t)] };
    assert.equal(await ask(args, job), `http: 0 3\nhttp: ${EALREADY}\nadmin: 0 4\nhttp: ${EALREADY}\n`);
  });

  check("gives a name once to 100 threads that ask together", async (ask, t) => {
    assert.equal(await ask(["weak", "threads", "http"], { http: [hold(t)] }), "http: 1 given, 99 EALREADY\n");
  });

  check("says ESRCH where one of its descriptors is closed, or is something else", async (ask, t) => {
    const job = { a: [hold(t)], b: [hold(t), hold(t)], c: [hold(t)], d: [hold(t)] };
    const args = ["weak", "close", "3", "close", "5", "move", "1", "6", "move", "4", "7"];
    const asked = ["a", "b", "c", "d", "none"].flatMap((name) => ["ask", name]);
    const expected = `a: ${ESRCH}\nb: ${ESRCH}\nc: ${ESRCH}\nd: ${ESRCH}\nnone: ${ENOENT}\n`;
    assert.equal(await ask([...args, ...asked], job), expected);
  });

  check("gives after ESRCH what is there again", async (ask, t) => {
    const args = ["weak", "move", "3", "9", "close", "3", "ask", "http", "move", "9", "3", "ask", "http"];
    assert.equal(await ask(args, { http: [hold(t)] }), `http: ${ESRCH}\nhttp: 0 3\n`);
  });

  check("tells names apart by every byte", async (ask, t) => {
    const names = ["http", "htt", "https", "Http", "", "é☃", "e", 'a"b', "a\\b", "a\nb", "%s", "??/", "x".repeat(5000)];
    const job = Object.fromEntries(names.map((name) => [name, [hold(t)]]));
    const shuffled = [...names].reverse();
    const expected = shuffled.map((name) => `${name}: 0 ${names.indexOf(name) + 3}\n`).join("");
    assert.equal(await ask(["weak", ...shuffled.flatMap((name) => ["ask", name])], job), expected);
  });

  check("has room for many", async (ask, t) => {
    const job = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`s${n}`, [hold(t), hold(t), hold(t)]]));
    const expected = Object.keys(job).map((name, n) => `${name}: 0 ${3 * n + 3} ${3 * n + 4} ${3 * n + 5}\n`);
    assert.equal(await ask(["weak", ...Object.keys(job).flatMap((name) => ["ask", name])], job), expected.join(""));
  });
}

// --- internal ---

type Ask = (args: readonly string[], job: Job) => Promise<string>;

async function output(t: TestContext, asker: Asker, args: readonly string[], job: Job): Promise<string> {
  const [program, ...first] = asker.command;
  const { code, signal, stdout, stderr } = await (
    await startInJob(t, program!, [...first, ...args], job, asker.options)
  ).ended;
  assert.deepEqual([code, signal, stderr], [0, null, ""]);
  return stdout;
}
