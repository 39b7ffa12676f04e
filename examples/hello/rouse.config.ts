import { defineService } from "rouse/config";

export default defineService({
  name: "hello",
  package: { name: "rouse-hello" }, // Debian has a package "hello" of its own
  entry: "src/server.ts",
  sockets: {
    hello: { listen: 80, noDelay: true },
  },
});
