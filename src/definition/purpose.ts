/** What a definition is read for: a run needs less of it, and does what a build does not do yet. */
export type Purpose =
  | { readonly for: "build" }
  /** On this machine, for example "linux-x64". */
  | { readonly for: "run"; readonly host: string };
