import { defineService } from "rouse/config";

// The units of this definition are not used: each test writes the units that it is about.
export default defineService({
  entry: "src/main.ts",
  sockets: { web: 80 },
});
