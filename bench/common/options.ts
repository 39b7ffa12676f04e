/** Reads the number of rounds that an option gives. */
export function rounds(text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= 1000) return number;
  throw new RangeError(`a number of rounds is a whole one from ${least} to 1000, not ${text}`);
}
