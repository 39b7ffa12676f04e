/** What a process was given by whoever has started it, as test/run/programs/handed.c tells it, and how two of them differ. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { compileC } from "./compile-c.ts";

const programs = join(import.meta.dirname, "../run/programs");

export interface Handed {
  readonly arguments: readonly string[];
  readonly name: string;
  readonly folder: string;
  readonly pid: number;
  /** Those that a manager sets; of its own process id "own". */
  readonly environment: Readonly<Record<string, string>>;
  readonly descriptors: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [field: string]: unknown;
}

/** What a client has met. */
export interface Talk {
  readonly answer: string;
  /** "FIN", "RST", "refused", or what the system says. */
  readonly end: string;
  readonly host: string;
  readonly port: number;
}

/** Runs a command line, here or in a machine, and gives what it prints. */
export type Runner = (argv: readonly string[]) => Promise<string>;

export const here: Runner = async ([program, ...args]) => (await promisify(execFile)(program!, args)).stdout;

/** The probe and its client, compiled. Ask `has(t, "cc", "gcc libc6-dev")` first. */
export function compileHanded(t: TestContext): { readonly handed: string; readonly talk: string } {
  return { handed: compileC(t, join(programs, "handed.c")), talk: compileC(t, join(programs, "talk.c")) };
}

/** @param words as talk.c takes them */
export async function talkTo(client: string, words: readonly string[], run: Runner = here): Promise<Talk> {
  return JSON.parse(await run([client, ...words])) as Talk;
}

/** Has the probe that serves somewhere obey a command. */
export type Say = (command: string) => Promise<Talk>;

/** A service with a second to end asks for a minute more, and ends after two with exit code 7. */
export async function lateStory(say: Say, stop: () => unknown): Promise<void> {
  await say("ignore");
  await stop();
  await say("notify EXTEND_TIMEOUT_USEC=60000000");
  await sleep(2000);
  await say("exit 7");
}

/** What whoever serves at that address was given. */
export async function askHanded(client: string, address: string, run: Runner = here): Promise<Handed> {
  const { answer, end } = await talkTo(client, [address, "report"], run);
  assert.notEqual(answer, "", `${address} answered nothing: ${end}`);
  return JSON.parse(answer) as Handed;
}

/**
 * Fails unless the two differ in these fields and no others, each of which has its reason.
 * @param expected by field, "descriptors.1" for all of one; a field stands for those below it
 */
export function assertSame(real: Handed, desk: Handed, expected: Readonly<Record<string, string>>): void {
  const [one, other] = [flatten(comparable(real)), flatten(comparable(desk))];
  const names = [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
  const isBelow = (name: string, field: string): boolean => name === field || name.startsWith(`${field}.`);
  const fields = Object.keys(expected);
  const surprising = names.filter((name) => !fields.some((field) => isBelow(name, field)));
  const shown = surprising.map((name) => `${name}: ${one.get(name)} in production, ${other.get(name)} on the desk`);
  assert.deepEqual(shown, []);
  const same = fields.filter((field) => !names.some((name) => isBelow(name, field)));
  assert.deepEqual(same, [], "these were said to differ");
}

// --- internal ---

/**
 * Without what is another one each time. Passed descriptors go by their names, since systemd's order of several .socket units is
 * any; of those that are one and the same socket or pipe only the first is described.
 */
function comparable({ pid: _pid, descriptors, environment, ...rest }: Handed): object {
  const { LISTEN_FDNAMES: names, INVOCATION_ID: id, ...others } = environment;
  const passed = names?.split(":") ?? [];
  const all = Object.entries(descriptors);
  const entries = all.map(([fd, { inode, ...facts }]) => {
    const [first] = all.find(([, other]) => other.inode === inode && !("file" in other)) ?? [fd];
    return [
      nameOf(Number(fd) - 3, passed) ?? fd,
      first === fd ? facts : { same: nameOf(Number(first) - 3, passed) ?? first },
    ];
  });
  return {
    ...rest,
    environment: {
      ...others,
      ...(names !== undefined && { LISTEN_FDNAMES: passed.toSorted().join(":") }),
      ...(id !== undefined && { INVOCATION_ID: /^[\da-f]{32}$/.test(id) }),
    },
    descriptors: Object.fromEntries(entries),
  };
}

/** "web#1" for the first of that name. */
function nameOf(index: number, passed: readonly string[]): string | undefined {
  const name = passed[index];
  return name && `${name}#${passed.slice(0, index + 1).filter((other) => other === name).length}`;
}

function flatten(value: unknown, name = ""): Map<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return new Map([[name, JSON.stringify(value)]]);
  const below = Object.entries(value).map(([key, each]) => flatten(each, name === "" ? key : `${name}.${key}`));
  return new Map(below.flatMap((map) => [...map]));
}
