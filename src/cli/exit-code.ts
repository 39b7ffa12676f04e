/** sysexits.h names 70 EX_SOFTWARE. */
export const exitCode = { done: 0, wrong: 1, usage: 2, fault: 70 } as const;
