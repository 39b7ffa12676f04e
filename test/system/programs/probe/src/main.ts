// probe PROGRAM: small services in one executable, because each executable takes seconds to build and more than 100 MB.
const programs: Readonly<Record<string, () => Promise<unknown>>> = {
  web: () => import("./web.ts"),
  kinds: () => import("./kinds.ts"),
  keeper: () => import("./keeper.ts"),
  line: () => import("./line.ts"),
  shout: () => import("./shout.ts"),
  logs: () => import("./logs.ts"),
  secure: () => import("./secure.ts"),
};

await programs[process.argv[2]!]!();
