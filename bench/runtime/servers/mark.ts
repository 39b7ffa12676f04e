/** Imported just before the runtime: milliseconds since the process began. */
export const beforeRuntime: number = performance.now();
