import { RouseError } from "./problem.ts";

/**
 * The time for every stamp in what is made: SOURCE_DATE_EPOCH (reproducible-builds.org), or now.
 * @returns seconds since 1970
 * @throws {RouseError} where it is set and no whole number: a guess would break the promise in silence
 */
export function readSourceDate(env: NodeJS.ProcessEnv): number {
  const text = env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return Math.floor(Date.now() / 1000);
  // tar has room for 11 octal digits.
  if (/^\d{1,10}$/.test(text) && Number(text) < 8 ** 11) return Number(text);
  throw new RouseError({
    code: "source-date",
    what: `SOURCE_DATE_EPOCH is "${text}", which is no number of seconds since 1970`,
    mend: "set it to a whole number, for example `git log -1 --format=%ct`, or unset it",
  });
}
