/** The download failed, or what came is not what was pinned. Carries a Problem (src/problem.ts). */
export class FetchError extends Error {
  constructor(problem, options) {
    super(problem.what, options);
    this.problem = problem;
  }
}

export const diskFull = {
  code: "disk-full",
  what: "the disk is full: a Node needs 210 MB in the cache",
  mend: "free some, or name another folder in ROUSE_CACHE",
};
